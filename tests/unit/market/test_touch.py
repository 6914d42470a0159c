from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.market.touch import price_of, touch_around

mids = st.floats(min_value=0.02, max_value=10_000)
spreads = st.floats(min_value=0, max_value=500)


@pytest.mark.parametrize(
    ("mid", "spread_bps", "bid", "ask"),
    [
        (150.003, 2, "149.99", "150.02"),  # three cents
        (912.03, 2, "911.94", "912.12"),
        (20.00, 0, "20.00", "20.01"),  # never less than one tick
        (0.004, 2, "0.01", "0.02"),  # never at nought
    ],
)
def test_touch(mid: float, spread_bps: float, bid: str, ask: str) -> None:
    assert tuple(map(price_of, touch_around(mid, spread_bps))) == (Decimal(bid), Decimal(ask))


@settings(deadline=None)
@given(mids, spreads)
def test_the_bid_is_below_the_ask_and_the_mid_between(mid: float, spread_bps: float) -> None:
    bid, ask = touch_around(mid, spread_bps)

    assert 0 < bid < ask
    assert bid - 1 <= mid * 100 <= ask + 1


@settings(deadline=None)
@given(mids, mids, spreads)
def test_both_sides_grow_with_the_mid(one: float, other: float, spread_bps: float) -> None:
    low, high = (touch_around(mid, spread_bps) for mid in sorted((one, other)))

    assert low[0] <= high[0]
    assert low[1] <= high[1]
