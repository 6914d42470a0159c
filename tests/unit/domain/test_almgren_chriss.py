from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.algorithms.almgren_chriss import Impact, trajectory
from execution.domain.algorithms.registry import ALGOS
from execution.domain.lots import split
from tests.unit.domain.days import spec

PAPER = Impact(epsilon=0.0625, gamma=2.5e-7, eta=2.5e-6)


def schedule(risk_aversion, *, quantity=1e6, days=5, intervals=5, impact=PAPER, volatility=0.95):
    return trajectory(
        quantity=quantity,
        days=days,
        intervals=intervals,
        volatility=volatility,
        impact=impact,
        risk_aversion=risk_aversion,
    )


@pytest.mark.parametrize(
    ("risk_aversion", "holdings", "cost"),
    [
        # The example of the paper.
        (1e-6, [1e6, 541_955.6, 289_854.2, 147_897.5, 62_141.8, 0], 911_227.0),
        (2e-6, [1e6, 428_598.8, 182_932.8, 76_295.7, 27_643.4, 0], 1_140_715.2),
        (0, [1e6, 800_000, 600_000, 400_000, 200_000, 0], 662_500.0),
    ],
)
def test_holdings_and_expected_cost(risk_aversion, holdings, cost):
    result = schedule(risk_aversion)
    assert [round(held, 1) for held in result.holdings] == holdings
    assert round(result.expected_cost, 1) == cost


def test_urgency_and_variance():
    result = schedule(1e-6)
    assert round(result.kappa, 4) == 0.6071
    assert round(result.half_life, 4) == 1.6472
    assert round(result.variance / 1e12, 4) == 0.3641


def test_without_risk_aversion_the_schedule_is_twap():
    result = schedule(0, quantity=1_003, intervals=10, days=0.5)
    pieces = split(1_003, result.trades)
    parts = ALGOS["TWAP"].plan(spec(1_003, 10))
    assert [piece.size for piece in pieces] == [part.quantity for part in parts]
    assert result.half_life == inf


@pytest.mark.parametrize("eta", [2.5e-7 * 1 / 2, 1e-8])
def test_refuses_intervals_too_long_for_an_optimum(eta):
    with pytest.raises(ValueError, match=r"must be positive; .* use more intervals than 5"):
        schedule(1e-6, impact=Impact(epsilon=0, gamma=2.5e-7, eta=eta))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": 0}, "quantity = 0"),
        ({"days": float("nan")}, "days = nan"),
        ({"intervals": 0}, "intervals = 0"),
        ({"volatility": -1}, "volatility = -1"),
        ({"impact": Impact(epsilon=0, gamma=-1, eta=1)}, "gamma = -1"),
        ({"impact": Impact(epsilon=0, gamma=0, eta=0)}, "eta = 0"),
    ],
)
def test_refuses_a_wrong_argument(changes, message):
    with pytest.raises(ValueError, match=message):
        schedule(1e-6, **changes)


@given(
    aversion=st.floats(0, 1e6),
    more=st.floats(1.01, 1e3),
    intervals=st.integers(1, 390),
    days=st.floats(0.01, 1),
)
@settings(deadline=None)
def test_more_risk_aversion_trades_earlier_for_more_cost_and_less_variance(
    aversion, more, intervals, days
):
    calm = schedule(aversion, intervals=intervals, days=days)
    hasty = schedule(aversion * more, intervals=intervals, days=days)
    for result in (calm, hasty):
        assert result.holdings[0] == pytest.approx(1e6)
        assert result.holdings[-1] == 0
        assert all(before >= after for before, after in pairwise(result.holdings))
        assert sum(result.trades) == pytest.approx(1e6)
    assert hasty.expected_cost >= calm.expected_cost * (1 - 1e-9)
    assert hasty.variance <= calm.variance * (1 + 1e-9)
