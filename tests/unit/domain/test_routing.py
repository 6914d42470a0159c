"""Which algorithm works an order."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from execution.domain.algorithm_comparison import Alternative
from execution.domain.costs import Basis
from execution.domain.routing import Thresholds, advice, by_cost, choose
from tests.unit.domain.days import FULL_DAY, HALF_DAY, at

RULES = Thresholds(Decimal(10_000), Decimal(100_000))


@pytest.mark.parametrize(
    ("asked", "urgency", "notional", "regular_hours", "algorithm"),
    [
        (None, "NORMAL", "9999.99", True, "MARKET"),
        (None, "NORMAL", "10000", True, "TWAP"),
        (None, "NORMAL", "100000", True, "TWAP"),
        (None, "NORMAL", "100000.01", True, "VWAP"),
        (None, "HIGH", "500000", True, "MARKET"),
        (None, "IMMEDIATE", "50000", True, "MARKET"),
        (None, "LOW", "5000", True, "LIMIT"),
        (None, "LOW", "500000", True, "LIMIT"),
        (None, "NORMAL", "5000", False, "LIMIT"),
        (None, "IMMEDIATE", "5000", False, "LIMIT"),
        ("TWAP", "IMMEDIATE", "5000", True, "TWAP"),
        ("MARKET", "LOW", "500000", True, "MARKET"),
    ],
)
def test_size_and_urgency_choose_unless_the_caller_does(
    asked: str | None, urgency: str, notional: str, regular_hours: bool, algorithm: str
) -> None:
    route = choose(
        asked=asked,
        urgency=urgency,
        notional=Decimal(notional),
        regular_hours=regular_hours,
        thresholds=RULES,
    )
    assert route.algorithm == algorithm
    assert route.reason


def way(algorithm: str, cost: float, deviation: float | None, **changes: object) -> Alternative:
    made = Alternative(
        algorithm=algorithm,
        end=at(60),
        cost_bps=cost,
        standard_error_bps=None,
        spread_bps=1.0,
        impact_bps=cost - 1,
        basis=Basis.SPREAD_AND_IMPACT,
        deviation_bps=deviation,
        participation=0.05,
        feasible=True,
        feasible_by=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # any field


MARKET, VWAP = way("MARKET", 20.0, 2.0), way("VWAP", 12.0, 60.0)


@pytest.mark.parametrize(
    ("ways", "risk_weight", "algorithm"),
    [
        pytest.param([MARKET, VWAP], 0.0, "VWAP", id="the least expected cost"),
        pytest.param([MARKET, VWAP], 0.2, "MARKET", id="waiting is a risk"),
        pytest.param([MARKET, VWAP], 0.1, "VWAP", id="18.0 against 20.2"),
        pytest.param([MARKET, replace(VWAP, feasible=False)], 0.0, "MARKET", id="not in time"),
        pytest.param(
            [MARKET, way("LIMIT", -1.0, None, basis=Basis.IF_FILLED)],
            0.0,
            "MARKET",
            id="what may not fill is no way",
        ),
        pytest.param([replace(MARKET, feasible=None)], 0.0, None, id="volume unknown"),
        pytest.param([way("VWAP", 5.0, None)], 0.0, None, id="volatility unknown"),
        pytest.param([], 0.0, None, id="none"),
    ],
)
def test_the_cheapest_way(
    ways: list[Alternative], risk_weight: float, algorithm: str | None
) -> None:
    route = by_cost(ways, risk_weight)
    assert (route and route.algorithm) == algorithm
    assert route is None or "bps expected" in route.reason


@pytest.mark.parametrize(
    ("minute", "word"),
    [(0, "VWAP"), (29, "VWAP"), (30, ""), (90, "TWAP"), (269, "TWAP"), (270, ""), (330, "VWAP")],
)
def test_the_guides_best_practice_by_time_of_day(minute: int, word: str) -> None:
    text = advice(FULL_DAY, at(minute))
    assert word in text
    assert bool(text) == bool(word)


def test_a_half_days_close_is_its_own() -> None:
    assert "close" in advice(HALF_DAY, HALF_DAY.close - timedelta(minutes=40))
    assert not advice(FULL_DAY, FULL_DAY.close)
