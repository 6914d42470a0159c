from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.market.clock import Pace

ANCHOR = datetime(2024, 6, 12, 14, tzinfo=UTC)
WALL = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("speed", "wall_seconds", "trading_seconds"),
    [(1, 10, 10), (60, 10, 600), (0.5, 10, 5), (60, -1, -60), (60, 0, 0)],
)
def test_trading_time_runs_at_its_speed(
    speed: float, wall_seconds: float, trading_seconds: float
) -> None:
    pace = Pace(ANCHOR, WALL, speed)
    at = pace.trading(WALL + timedelta(seconds=wall_seconds))

    assert at == ANCHOR + timedelta(seconds=trading_seconds)
    assert pace.wall(at) == WALL + timedelta(seconds=wall_seconds)


@settings(deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.floats(min_value=0.1, max_value=1000),
)
def test_back_to_the_wall_within_a_millisecond(wall: datetime, speed: float) -> None:
    pace = Pace(ANCHOR, WALL, speed)

    assert abs(pace.wall(pace.trading(wall)) - wall) < timedelta(milliseconds=1)
