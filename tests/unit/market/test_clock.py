from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.market.clock import Pace

ANCHOR = datetime(2024, 6, 12, 14, tzinfo=UTC)
REAL = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("speed", "real_seconds", "trading_seconds"),
    [(1, 10, 10), (60, 10, 600), (0.5, 10, 5), (60, -1, -60), (60, 0, 0)],
)
def test_trading_time_runs_at_its_speed(
    speed: float, real_seconds: float, trading_seconds: float
) -> None:
    pace = Pace(ANCHOR, REAL, speed)
    at = pace.trading(REAL + timedelta(seconds=real_seconds))

    assert at == ANCHOR + timedelta(seconds=trading_seconds)
    assert pace.real(at) == REAL + timedelta(seconds=real_seconds)


@settings(deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.floats(min_value=0.1, max_value=1000),
)
def test_back_to_real_time_within_a_millisecond(real: datetime, speed: float) -> None:
    pace = Pace(ANCHOR, REAL, speed)

    assert abs(pace.real(pace.trading(real)) - real) < timedelta(milliseconds=1)
