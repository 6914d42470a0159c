"""What an installation brings: the console script's commands, and the packages it needs."""

import re
import subprocess
import sys
import tomllib

import pytest
from django.core.management import get_commands

from deepstack.command_line import COMMANDS, main
from deepstack.config import ROOT

pytestmark = pytest.mark.any_date

TEST_TOOLS = {"pytest", "pytest-django", "pytest-timeout", "setuptools"}


def names(lines: list[str]) -> set[str]:
    matches = (re.match(r"[A-Za-z0-9_.-]+", line) for line in lines)
    return {match[0].lower().replace("_", "-") for match in matches if match}


def test_every_command_of_the_console_script_exists() -> None:
    assert set(COMMANDS) - {"up", "demo"} <= set(get_commands())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["help"], 0, "kill switch"),
        ([], 0, "usage: deepstack COMMAND"),
        (["resume-trading", "--help"], 0, "resume_trading"),
        (["ordr"], 2, "no command 'ordr'"),
        (["migrate"], 2, "no command 'migrate'"),  # the internals stay under manage.py
    ],
)
def test_the_console_script_says(
    words: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["deepstack", *words])
    with pytest.raises(SystemExit) as ended:
        sys.exit(main())
    told = "".join(capsys.readouterr())
    assert (ended.value.code, said in told) == (code, True), told


def test_the_console_script_is_a_program() -> None:
    command = [sys.executable, "-m", "deepstack.command_line", "ordr"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.startswith("deepstack: no command 'ordr'")


def test_the_package_needs_what_requirements_txt_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = names((ROOT / "requirements.txt").read_text().splitlines())
    assert names(project["dependencies"]) == pinned - TEST_TOOLS
    assert project["scripts"]["deepstack"] == "deepstack.command_line:main"


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_the_lock_file_holds_every_pinned_version(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text() + (ROOT / "requirements.txt").read_text()
    pins = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[\w+\])?==(\S+)", text, re.M)
    lock = (ROOT / f"{name}.lock").read_text().lower()
    missing = [
        f"{package}=={version}"
        for package, version in pins
        if not re.search(rf"^{package.lower().replace('_', '-')}(\[\w+\])?=={version} ", lock, re.M)
    ]
    assert not missing, f"run `make lock`: {missing}"
    assert "--hash=sha256:" in lock
