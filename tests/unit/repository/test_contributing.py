"""CONTRIBUTING.md followed word for word: its examples are one file and one line each."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from deepstack.config import ROOT

pytestmark = pytest.mark.any_date

PLANS = """
from datetime import UTC, datetime, timedelta
from execution.domain.algorithms.base import Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.session import Session
from execution.domain.volume_profile import Profile
start, hour = datetime(2026, 3, 2, 15, tzinfo=UTC), timedelta(hours=1)
close = start + 6 * hour
session = Session(start.date(), start, close, start, close)
spec = Spec(600, start, start + hour, 3, session, Profile.even([1]), seed=1, jitter=timedelta(0))
print([part.quantity for part in ALGOS["FRONT"].plan(spec)])
"""
ALERTS = """
from deepstack import django_setup
django_setup.ensure()
from deepstack.config import Config
from monitoring.channels import configured
from monitoring.models import Alert
configured(Config())["terminal"].send(Alert(severity="WARNING", message="a test"))
"""


def examples(title: str) -> tuple[str, str]:
    """The file and the line of a section, as somebody copies them."""
    section = (ROOT / "CONTRIBUTING.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    file, line = re.findall(r"```python\n(.*?)```", section, re.S)
    return dedent(file), line.removeprefix("   ").rstrip() + "\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in ("deepstack", "execution", "monitoring"):
        ignored = shutil.ignore_patterns("__pycache__", "static")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    return tmp_path


def added(copy: Path, title: str, file: str, registry: str, table: str) -> None:
    text, line = examples(title)
    (copy / file).write_text(text)
    before, found, after = (copy / registry).read_text().partition(f"{table} = {{\n")
    assert found, f"{registry} has no {table}"
    (copy / registry).write_text(before + found + line + after)


def said(copy: Path, program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_an_algorithm_is_one_file_and_one_line(copy: Path) -> None:
    package = "execution/domain/algorithms"
    added(
        copy,
        "Add an algorithm",
        f"{package}/front.py",
        f"{package}/registry.py",
        "ALGOS: dict[str, Algorithm]",
    )
    assert said(copy, PLANS).strip() == "[300, 200, 100]"


def test_an_alert_channel_is_one_file_and_one_line(copy: Path) -> None:
    package = "monitoring/channels"
    added(
        copy, "Add an alert channel", f"{package}/terminal.py", f"{package}/__init__.py", "CHANNELS"
    )
    assert "WARNING" in said(copy, ALERTS)
