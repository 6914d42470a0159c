"""Where an order is worked, by what it asks for and what the session leaves."""

from datetime import datetime, timedelta

import pytest

from deepstack.config import Execution, Scheduling
from execution.domain.signal import InvalidSignal, Signal, parse
from execution.planning.trading_window import ends_of, window_of
from tests.unit.domain.days import FULL_DAY, HALF_DAY, OPEN

USUAL = Execution()
QUIET = Execution(scheduling=Scheduling(quiet_open_minutes=5, quiet_close_minutes=10))


def after_open(minutes: float) -> datetime:
    return OPEN + timedelta(minutes=minutes)


def signal(**wish: object) -> Signal:
    return parse({"symbol": "AAPL", "side": "BUY", "quantity": 100} | wish)


@pytest.mark.parametrize(
    ("algorithm", "start", "wish", "config", "window"),
    [
        ("TWAP", 0, {}, USUAL, (0, 60)),
        ("TWAP", 0, {"window_minutes": 30}, USUAL, (0, 30)),
        ("TWAP", 370, {}, USUAL, (370, 390)),
        ("TWAP", 0, {}, QUIET, (5, 65)),
        ("TWAP", 0, {"window_minutes": 30}, QUIET, (5, 30)),
        ("TWAP", 100, {"window_minutes": 30}, QUIET, (100, 130)),
        ("TWAP", 340, {"window_minutes": 50}, QUIET, (340, 380)),
        ("VWAP", 300, {}, QUIET, (300, 380)),
        ("LIMIT", 0, {}, QUIET, (0, 390)),
        ("LIMIT", 385, {}, QUIET, (385, 390)),
    ],
)
def test_the_window_of_a_full_day(
    algorithm: str,
    start: float,
    wish: dict[str, object],
    config: Execution,
    window: tuple[float, float],
) -> None:
    found = window_of(signal(**wish), algorithm, FULL_DAY, after_open(start), config)
    assert (found.start, found.end) == tuple(map(after_open, window))


@pytest.mark.parametrize(
    ("start", "wish", "field"),
    [
        (0, {"window_minutes": 4}, "start_at"),
        (382, {}, "start_at"),
        (385, {"window_minutes": 3}, "start_at"),
        (350, {"window_minutes": 50}, "window_minutes"),
    ],
)
def test_nothing_is_worked_over_time_in_quiet_minutes(
    start: float, wish: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidSignal) as refused:
        window_of(signal(**wish), "TWAP", FULL_DAY, after_open(start), QUIET)
    assert set(refused.value.errors) == {field}


def test_a_half_day_has_its_own_quiet_minutes() -> None:
    found = window_of(signal(), "VWAP", HALF_DAY, after_open(150), QUIET)
    assert (found.start, found.end) == (after_open(150), after_open(200))


@pytest.mark.django_db
def test_a_way_that_is_not_open_is_no_alternative() -> None:
    assert set(ends_of(signal(), FULL_DAY, after_open(385), QUIET)) == {"MARKET", "LIMIT"}
