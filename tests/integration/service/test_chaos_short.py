"""A short, fixed choice of the torture run: `python -m tests.chaos.run` is the whole of it."""

import pytest

from tests.long_run import played

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
    code, table = played("tests.chaos.run", *SIZE, *chosen, patience=PATIENCE)
    assert code == 0, table
    assert all(fault in table for fault in FAULTS)
