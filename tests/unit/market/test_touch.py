from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.limit_prices import on_grid, tick
from execution.market.tick_grid import touch_around

mids = st.floats(min_value=0.0002, max_value=10_000)
spreads = st.floats(min_value=0, max_value=500)


@pytest.mark.parametrize(
    ("mid", "spread_bps", "bid", "ask"),
    [
        (150.003, 2, "149.99", "150.02"),  # three cents
        (912.03, 2, "911.94", "912.12"),
        (20.00, 0, "20.00", "20.01"),  # never less than one tick
        (0.4566, 2, "0.4566", "0.4567"),  # below a dollar a tick is a hundredth of a cent
        (0.99995, 0, "1.00", "1.01"),  # the dollar itself belongs to the cents
        (0.99994, 0, "0.9999", "1.00"),
        (1.0, 2, "0.9999", "1.00"),
        (0.00004, 2, "0.0001", "0.0002"),  # never at zero
    ],
)
def test_touch(mid: float, spread_bps: float, bid: str, ask: str) -> None:
    assert touch_around(mid, spread_bps) == (Decimal(bid), Decimal(ask))


@settings(deadline=None)
@given(mids, spreads)
def test_the_bid_is_below_the_ask_and_the_mid_between(mid: float, spread_bps: float) -> None:
    bid, ask = touch_around(mid, spread_bps)

    assert 0 < bid < ask
    assert on_grid(bid)
    assert on_grid(ask)
    assert bid - tick(bid) <= Decimal(mid) <= ask + tick(ask)


@settings(deadline=None)
@given(mids, mids, spreads)
def test_both_sides_grow_with_the_mid(one: float, other: float, spread_bps: float) -> None:
    low, high = (touch_around(mid, spread_bps) for mid in sorted((one, other)))

    assert low[0] <= high[0]
    assert low[1] <= high[1]
