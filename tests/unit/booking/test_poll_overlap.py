"""How far back the broker is polled: seldom far, so that late executions are booked too."""

from datetime import UTC, datetime, timedelta

import pytest

from execution.booking.broker_feed import LATE, OVERLAP, SELDOM, poll_from

NOON = datetime(2026, 6, 1, 16, tzinfo=UTC)


@pytest.mark.parametrize("speed", [1.0, 60.0])
@pytest.mark.parametrize("late", [0.0, 0.9, 2.7, 5.0])
def test_executions_that_are_reported_late_are_booked(speed: float, late: float) -> None:
    for tenth in range(100):
        changed = NOON + timedelta(seconds=tenth / 10) * speed
        told = changed + timedelta(seconds=late) * speed
        assert any(since <= changed for since, at in questions(speed) if at >= told)


def test_most_questions_go_back_a_little_only() -> None:
    back = [at - since for since, at in questions(1.0)]

    assert back.count(OVERLAP + timedelta(seconds=0.5)) == 4 * (len(back) // 5)
    assert max(back) == LATE + timedelta(seconds=0.5)


def test_what_was_not_heard_for_long_is_asked_for_from_long_before() -> None:
    assert poll_from(NOON, NOON + SELDOM, speed=1.0) == NOON - LATE


def questions(speed: float) -> list[tuple[datetime, datetime]]:
    """(asked from, asked at), twice a second of real time for half a minute."""
    step = timedelta(seconds=0.5) * speed
    moments = [NOON + step * count for count in range(60)]
    return [(poll_from(at - step, at, speed=speed), at) for at in moments]
