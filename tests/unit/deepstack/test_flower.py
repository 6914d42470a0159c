"""Flower shows every task: nobody sees any of it without the password."""

import os
import subprocess
import sys
from base64 import b64encode

import pytest

from deepstack.config import ROOT
from deepstack.web.flower import known

LOGIN = "desk:sämtlich:geheim"


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "in_"),
    [
        (basic(LOGIN), True),
        (basic(LOGIN).replace("Basic", "basic"), True),
        (basic("desk:wrong"), False),
        (basic(f"{LOGIN} "), False),
        (basic("desk"), False),
        (basic(LOGIN).replace("Basic", "Bearer"), False),
        (f"Basic {LOGIN}", False),
        ("Basic", False),
        ("", False),
    ],
)
def test_who_is_let_in(header: str, in_: bool) -> None:
    assert known(header, [LOGIN]) is in_
    assert known(header, []) is False


def test_it_does_not_start_without_a_password() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "deepstack.web.flower", "--port=0"],
        env={**os.environ, "FLOWER_BASIC_AUTH": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert "Set it to user:password" in run.stderr
