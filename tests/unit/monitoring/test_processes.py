"""What processes say of themselves, and what becomes an alert."""

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.alerting.process_rules import Sign, database_away, judge

NOON = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
FULL = "Redis takes no tasks: its memory is full (maxmemory), it refuses writes"


def told(*signs: Sign) -> list[tuple[str, str, str]]:
    return [(each.kind, each.severity, each.message) for each in judge(signs)]


def test_processes_that_are_well_say_nothing() -> None:
    assert told(Sign("WORKER", "a:1"), Sign.read("DISPATCH", "a:2", {"leads": True})) == []


def test_a_short_trouble_wakes_nobody() -> None:
    assert told(Sign("DISPATCH", "a:1", FULL, 1.9)) == []


def test_a_lasting_trouble_is_one_alert_whoever_has_it() -> None:
    signs = [
        Sign.read("DISPATCH", process, {"trouble": FULL, "trouble_seconds": 2})
        for process in ("a:1", "b:2")
    ]
    message = f"{FULL}: dispatch a:1, dispatch b:2 cannot work"
    assert told(*signs) == [("PROCESS_TROUBLE", "CRITICAL", message)]


@pytest.mark.parametrize(
    ("ahead", "severity", "words"),
    [
        (8.0, "CRITICAL", "8.0 s ahead of the database's"),
        (-8.0, "CRITICAL", "8.0 s behind the database's"),
        (1.5, "WARNING", "1.5 s ahead of the database's"),
    ],
)
def test_a_wrong_clock_is_named(ahead: float, severity: str, words: str) -> None:
    ((kind, found, message),) = told(
        Sign.read("WORKER", "host-7:123", {"clock_ahead_seconds": ahead})
    )
    assert (kind, found) == ("WRONG_CLOCK", severity)
    assert f"the clock of worker host-7:123 is {words}" in message


def test_the_loss_of_the_database_says_when_and_why() -> None:
    until = NOON + timedelta(seconds=26)
    now = database_away(why="it is read-only", since=NOON, until=None)
    then = database_away(why="it is read-only", since=NOON, until=until)
    assert now.key == then.key
    assert "takes no write since 2026-03-02 11:00:00 ET (it is read-only)" in now.message
    assert "took no write from 2026-03-02 11:00:00 ET to 2026-03-02 11:00:26 ET" in then.message
