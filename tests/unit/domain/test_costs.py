from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.costs import Basis, guide_slippage, slippage_bps


def estimate(**changes):
    usual = {"quantity": 1_000, "average_daily_volume": 100e6, "spread_bps": 5.0}
    return guide_slippage(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "spread", "impact", "urgency"),
    [
        # The guide's example: 0.1 * sqrt(1,000 / 100 M) = 3.16 bps, and half the spread.
        ({}, 2.5, 3.16, 0),
        ({"quantity": 100_000}, 2.5, 31.62, 0),
        ({"spread_bps": 0.0}, 0, 3.16, 0),
        ({"impact_coefficient": 0.2}, 2.5, 6.32, 0),
        ({"urgency_multiplier": 1.5}, 2.5, 3.16, 2.83),
        ({"daily_volatility": 0.02}, 2.5, 3.16, 0),
        ({"daily_volatility": 0.04}, 2.5, 6.32, 0),
        ({"daily_volatility": 0.0}, 2.5, 0, 0),
    ],
)
def test_default_model(changes, spread, impact, urgency):
    cost = estimate(**changes)
    assert cost.basis is Basis.SPREAD_AND_IMPACT
    assert (cost.spread_bps, cost.impact_bps, cost.urgency_bps) == pytest.approx(
        (spread, impact, urgency), abs=0.005
    )
    assert cost.bps == pytest.approx(cost.spread_bps + cost.impact_bps + cost.urgency_bps)


@pytest.mark.parametrize("unknown", [None, 0])
def test_without_a_daily_volume_only_the_spread_is_known(unknown):
    cost = estimate(average_daily_volume=unknown, urgency_multiplier=1.5)
    assert cost.basis is Basis.SPREAD_ONLY
    assert (cost.bps, cost.impact_bps) == (3.75, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": 0}, "quantity = 0"),
        ({"spread_bps": -1.0}, "spread_bps = -1"),
        ({"spread_bps": float("nan")}, "spread_bps = nan"),
        ({"impact_coefficient": float("inf")}, "impact_coefficient = inf"),
        ({"urgency_multiplier": -1.0}, "urgency_multiplier = -1"),
        ({"daily_volatility": -0.01}, "daily_volatility = -0.01"),
        ({"average_daily_volume": float("nan")}, "average_daily_volume = nan"),
        ({"average_daily_volume": -1}, "average_daily_volume = -1"),
    ],
)
def test_refuses_a_wrong_argument(changes, message):
    with pytest.raises(ValueError, match=message):
        estimate(**changes)


@given(small=st.integers(1, 10**6), more=st.integers(1, 10**6))
def test_a_larger_order_costs_more(small, more):
    assert estimate(quantity=small).bps < estimate(quantity=small + more).bps


@pytest.mark.parametrize(
    ("side_sign", "price", "benchmark", "bps"),
    [
        (1, "100.10", "100", 10),  # bought dearer: a cost
        (1, "99.90", "100", -10),
        (-1, "99.90", "100", 10),  # sold cheaper: a cost
        (-1, "100.10", "100", -10),
        (1, "100", "100", 0),
        # A sale of 8,000 at 49.805 on average, against VWAP, TWAP and arrival.
        (-1, "49.805", "49.782", -4.620),
        (-1, "49.805", "49.756", -9.848),
        (-1, "49.805", "49.90", 19.038),
    ],
)
def test_slippage_is_signed_so_that_plus_is_a_cost(side_sign, price, benchmark, bps):
    measured = slippage_bps(side_sign, Decimal(price), Decimal(benchmark))
    assert measured == pytest.approx(bps, abs=0.0005)


@pytest.mark.parametrize(
    ("side_sign", "benchmark", "message"),
    [(0, "100", "side_sign = 0"), (1, "0", "benchmark = 0"), (1, "NaN", "benchmark = NaN")],
)
def test_slippage_refuses_a_wrong_argument(side_sign, benchmark, message):
    with pytest.raises(ValueError, match=message):
        slippage_bps(side_sign, Decimal(100), Decimal(benchmark))
