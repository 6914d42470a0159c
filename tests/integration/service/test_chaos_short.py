"""A short, fixed choice of the torture run: `python -m tests.chaos.run` is the whole of it."""

import subprocess
import sys

import pytest

from deepstack.config import ROOT
from deepstack.local.child_cleanup import parent_pipe

pytestmark = pytest.mark.any_date

FAULTS = (
    "worker kill -9 between claim and send",
    "worker kill -9 between send and record",
    "worker frozen between final check and send",
    "Redis kill -9",
    "PostgreSQL immediate restart",
    "every message three times",
    "executions repeated",
    "HALT",
)


SIZE = ("--seed", "11", "--parents", "6", "--slices", "8", "--window", "6")
PATIENCE = 400.0  # seconds; on an idle machine a minute and a half will do


@pytest.mark.timeout(PATIENCE + 60)
def test_nothing_is_lost_or_sent_twice_whatever_dies() -> None:
    chosen = [word for fault in FAULTS for word in ("--fault", fault)]
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.run", *SIZE, *chosen],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=parent_pipe(),
    )
    try:
        table, _ = run.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        run.terminate()  # it stops what it started
        table, _ = run.communicate()
    assert run.returncode == 0, table
    assert all(fault in table for fault in FAULTS)
