"""How far own executions move the price."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.own_impact import Flow, Liquidity, moved, shift

KNOWN = Liquidity(daily_volume=1_000_000, daily_volatility=0.02)
BPS = 10_000
SHARES = st.integers(1, 100_000)


def bps(side, flow, *, coefficient=1.0, quantity=0):
    return shift(side, flow, KNOWN, coefficient=coefficient, quantity=quantity) * BPS


@pytest.mark.parametrize(
    ("side", "flow", "more", "moved_bps"),
    [
        pytest.param("BUY", Flow(), {}, 0, id="nobody has traded"),
        pytest.param("BUY", Flow(), {"quantity": 20_000}, 20, id="half of the own order: 1 %"),
        pytest.param("SELL", Flow(), {"quantity": 20_000}, -20, id="a sale moves it down"),
        pytest.param("BUY", Flow(bought=10_000), {}, 20, id="pressure that has decayed to 1 %"),
        pytest.param("SELL", Flow(bought=10_000), {}, 0, id="is none for the other side"),
        pytest.param("SELL", Flow(net=10_000), {}, 2, id="a net purchase lifts both sides"),
        pytest.param("BUY", Flow(bought=10_000, net=10_000), {}, 22, id="both parts"),
        pytest.param("BUY", Flow(bought=10_000, net=10_000), {"coefficient": 0.5}, 11, id="half"),
        pytest.param("BUY", Flow(bought=10_000, net=10_000), {"coefficient": 0}, 0, id="off"),
    ],
)
def test_shift(side, flow, more, moved_bps):
    assert bps(side, flow, **more) == pytest.approx(moved_bps)


@given(sizes=st.lists(SHARES, min_size=1, max_size=8))
def test_a_round_trip_costs_however_it_is_cut(sizes):
    """Bought in parts and sold in the same parts, without any decay, as of one price."""
    bought = sold = net = 0
    paid = 0.0
    for side, sign in (("BUY", 1), ("SELL", -1)):
        for size in sizes:
            # The permanent part of an execution is paid by half on average.
            at = Flow(bought, sold, net + sign * size // 2)
            paid += sign * size * bps(side, at, quantity=size)
            bought, sold = (bought + size, sold) if sign > 0 else (bought, sold + size)
            net += sign * size
    assert paid > 0


@pytest.mark.parametrize(("part", "paid"), [(0.1, 36), (0.01, 9)])
def test_an_even_order_of_a_day_pays_about_what_the_square_root_law_says(part, paid):
    """Two thirds of it are 42 and 13 bps; 390 children, half of them forgotten after an hour."""
    child, pressing, net, cost = part * 1_000_000 / 390, 0.0, 0.0, 0.0
    for _ in range(390):
        cost += bps("BUY", Flow(bought=pressing, net=net), quantity=child) / 390
        pressing, net = (pressing + child) * 0.5 ** (1 / 60), net + child
    assert cost == pytest.approx(paid, abs=0.5)


@pytest.mark.parametrize(
    ("side", "part", "price"),
    [
        pytest.param("BUY", "0.00001", "100.01", id="up to the next tick"),
        pytest.param("SELL", "-0.00001", "99.99", id="down to it"),
        pytest.param("BUY", "0", "100.00", id="unmoved"),
        pytest.param("BUY", "-0.001", "99.90", id="after own sales a purchase is cheaper"),
    ],
)
def test_a_price_is_rounded_against_the_order(side, part, price):
    assert moved(Decimal("100.00"), side, {side: Decimal(part)}) == Decimal(price)
    assert moved(Decimal("100.00"), side, {}) == Decimal("100.00")
