"""When a login is over."""

from datetime import UTC, datetime, timedelta

import pytest

from deepstack.web import session_limits

NOW = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
LIMITS = {"idle": timedelta(minutes=30), "longest": timedelta(hours=12)}


@pytest.mark.parametrize(
    ("hours", "idle_minutes", "why"),
    [
        (1, 0, ""),
        (1, 29.9, ""),
        (1, 30, "nobody did anything"),
        (11.9, 0, ""),
        (12, 0, "a working day is over"),
    ],
)
def test_a_login_ends_by_idleness_and_after_a_day(
    hours: float, idle_minutes: float, why: str
) -> None:
    began = (NOW - timedelta(hours=hours)).isoformat()
    active = (NOW - timedelta(minutes=idle_minutes)).isoformat()
    assert session_limits.ended(began, active, NOW, **LIMITS) == why


def test_a_session_that_nothing_is_known_of_is_over() -> None:
    assert session_limits.ended("", "", NOW, **LIMITS)
    assert session_limits.ended(NOW.isoformat(), "", NOW, **LIMITS)
