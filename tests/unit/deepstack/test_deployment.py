"""`manage.py check --deploy` has nothing to say of a service that is set up for others to reach."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from deepstack.config import ROOT
from execution.checks import open_secrets

pytestmark = pytest.mark.any_date

SET_UP = {
    "HTTPS": "true",
    "ALLOWED_HOSTS": "desk.example",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "FLOWER_BASIC_AUTH": "desk:password",
    # Nobody answers there: the checks of a configuration ask nobody.
    "DATABASE_URL": "postgresql://user:password@127.0.0.1:1/deepstack",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "no issues"),
        ({"HTTPS": "false"}, "security.W012"),
        ({"DEBUG": "true"}, "security.W018"),
    ],
)
def test_what_is_set_up_for_others_passes_every_check(
    changes: dict[str, str], said: str, tmp_path: Path
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "deepstack.manage", "check", "--deploy"],
        env={**os.environ, "DEEPSTACK_HOME": str(tmp_path), **SET_UP, **changes},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert said in run.stdout + run.stderr


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_of_secrets_that_others_may_read_is_named(
    mode: int, tmp_path: Path, *, warned: bool
) -> None:
    path = tmp_path / ".env"
    assert open_secrets(path) == []
    path.touch()
    path.chmod(mode)
    assert [each.hint for each in open_secrets(path)] == [f"chmod 600 {path}"] * warned
