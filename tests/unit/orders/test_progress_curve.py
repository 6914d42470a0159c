"""The lines of an order's chart: sums and averages over time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from execution.market.base import TapeBar
from execution.orders.progress_curve import Execution, market_vwap, running, thinned

TEN = datetime(2026, 3, 2, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: int) -> int:
    return round((TEN + minutes * MINUTE).timestamp() * 1000)


def bar(minute: int, volume: int, price: str) -> TapeBar:
    p = Decimal(price)
    return TapeBar("AAPL", TEN + minute * MINUTE, MINUTE, p, p, p, p, volume, p)


def test_shares_and_their_average_run_with_the_fills() -> None:
    fills = [
        Execution(TEN, 100, Decimal("10")),
        Execution(TEN + MINUTE, 300, Decimal("12")),
    ]
    executed, average = running(fills)
    assert executed == [(at(0), 100), (at(1), 400)]
    assert average == [(at(0), 10), (at(1), 11.5)]


def test_nothing_executed_has_no_average() -> None:
    assert running([]) == ([], [])


def test_the_markets_vwap_stands_at_the_end_of_each_bar_once_something_traded() -> None:
    bars = [bar(0, 0, "9"), bar(1, 100, "10"), bar(2, 300, "12")]
    assert market_vwap(bars) == [(at(2), 10), (at(3), 11.5)]


@pytest.mark.parametrize(
    ("count", "most", "kept"),
    [(3, 5, [0, 1, 2]), (5, 5, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8]), (0, 5, [])],
)
def test_a_long_line_keeps_its_ends(count: int, most: int, kept: list[int]) -> None:
    assert thinned(range(count), most) == kept
