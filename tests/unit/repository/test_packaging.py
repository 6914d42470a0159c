"""What an installation brings: the console script's commands, and the packages it needs."""

import re
import subprocess
import sys
import tomllib

import pytest
from django.core.management import get_commands, load_command_class

from deepstack.command_line import COMMANDS, main
from deepstack.config import ROOT
from deepstack.observability import REPORTS, TRACES
from deepstack.version import VERSION
from execution.checks import SINGLE_SIGN_ON

pytestmark = pytest.mark.any_date

OPTIONAL = ["requirements-observability", "requirements-single-sign-on"]
TEST_TOOLS = {"pytest", "pytest-django", "pytest-timeout", "setuptools"}


def names(lines: list[str]) -> set[str]:
    matches = (re.match(r"[A-Za-z0-9_.-]+", line) for line in lines)
    return {match[0].lower().replace("_", "-") for match in matches if match}


def test_every_command_of_the_console_script_exists() -> None:
    assert set(COMMANDS) - {"up", "demo"} <= set(get_commands())


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"up", "demo"}))
def test_help_fits_a_terminal_of_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = load_command_class(get_commands()[name], name)
    text = command.create_parser("deepstack", name).format_help()
    assert [line for line in text.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["help"], 0, "kill switch"),
        ([], 0, "usage: deepstack COMMAND"),
        (["resume-trading", "--help"], 0, "resume_trading"),
        (["ordr"], 2, "no command 'ordr'"),
        (["migrate"], 2, "no command 'migrate'"),  # the internals stay under manage.py
        (["order", "--minutes", "5"], 2, "usage: deepstack order SIDE QUANTITY SYMBOL [options]; "),
        (["halt"], 2, "usage: deepstack halt --reason REASON [options]; --help lists them\n"),
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


def test_the_list_of_commands_fits_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["deepstack", "help"])
    main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > len(COMMANDS)
    assert [line for line in lines if len(line) > 80] == []


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


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ("observability", f"{TRACES.packages} {REPORTS.packages}"),
        ("single-sign-on", SINGLE_SIGN_ON),
    ],
)
def test_an_extra_is_what_its_own_requirements_pin(extra: str, named: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = names((ROOT / f"requirements-{extra}.txt").read_text().splitlines()[1:])
    assert names(project["optional-dependencies"][extra]) == pinned
    assert set(named.split()) == pinned


def test_what_reports_and_the_api_call_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_readme_and_contributing_name_the_versions_of_python_that_the_package_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    lowest, beyond = re.findall(r"3\.(\d+)", project["requires-python"])
    assert declared == [f"3.{minor}" for minor in range(int(lowest), int(beyond))]
    *others, last = declared
    for page in ("README.md", "CONTRIBUTING.md"):
        assert f"Python {', '.join(others)} or {last} with venv" in (ROOT / page).read_text()


@pytest.mark.parametrize("name", ["requirements", *OPTIONAL, "requirements-dev"])
def test_the_lock_file_holds_every_pinned_version(name: str) -> None:
    below = OPTIONAL if name == "requirements-dev" else []
    files = ["requirements", *below, name]
    text = "".join((ROOT / f"{each}.txt").read_text() for each in files)
    pins = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[\w+\])?==(\S+)", text, re.M)
    lock = (ROOT / f"{name}.lock").read_text().lower()
    missing = [
        f"{package}=={version}"
        for package, version in pins
        if not re.search(rf"^{package.lower().replace('_', '-')}(\[\w+\])?=={version} ", lock, re.M)
    ]
    assert not missing, f"run `make lock`: {missing}"
    assert "--hash=sha256:" in lock
