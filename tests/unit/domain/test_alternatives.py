from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from execution.domain.algorithm_comparison import Question, alternatives
from execution.domain.algorithms.base import Spec
from execution.domain.cost_models import (
    COST_MODELS,
    Coefficients,
    Work,
    concentration,
    schedule_risk_bps,
    timing_risk_bps,
)
from execution.domain.costs import guide_slippage
from execution.domain.impact_models import almgren_impact
from execution.domain.volume_profile import Profile
from execution.slippage import SlippageModel
from tests.unit.domain.days import CLOSE, FULL_DAY, OPEN, at

BY = Coefficients()
WORK = Work(
    quantity=656_100,
    spread_bps=4.0,
    average_daily_volume=6_561_000.0,
    daily_volatility=0.0157,
    days=0.1,
)
SPEC = Spec(
    quantity=1_000,
    start=OPEN,
    end=CLOSE,
    slices=1,
    session=FULL_DAY,
    profile=Profile.even([1.0]),
    seed=0,
    jitter=timedelta(),
    spread_bps=4.0,
    average_daily_volume=39_000.0,
    session_volume=39_000.0,  # 100 a minute
    daily_volatility=0.02,
    price=50.0,
)
ASKED = Question(spec=SPEC, cap=None, urgent=False, limit_bps=None, model="guide", coefficients=BY)


def question(**changes: Any) -> Question:
    """Changes of the question, or of its spec."""
    own = {name: value for name, value in changes.items() if hasattr(SPEC, name)}
    rest = {name: value for name, value in changes.items() if name not in own}
    return replace(ASKED, spec=replace(SPEC, **own), **rest)


def test_the_guide_model_is_the_guides():
    guide = guide_slippage(
        quantity=656_100, average_daily_volume=6_561_000, spread_bps=4, daily_volatility=0.0157
    )
    assert asdict(COST_MODELS["guide"](WORK, BY)) == pytest.approx(asdict(guide))


def test_the_square_root_model_pays_two_thirds_of_the_peak():
    cost = COST_MODELS["square_root"](replace(WORK, daily_volatility=0.02), BY)
    assert cost.impact_bps == pytest.approx(63.25 * 2 / 3, abs=0.01)
    assert cost.bps == pytest.approx(cost.impact_bps + 2)


def test_the_almgren_model_is_the_published_table():
    """IBM, a tenth of the day's volume in a tenth of a day: J = 32.224 bps."""
    by = replace(BY, shares_outstanding_days=1728 / 6.561)
    assert COST_MODELS["almgren"](WORK, by).impact_bps == pytest.approx(32.224, abs=0.0005)
    assert almgren_impact(
        quantity=656_100,
        average_daily_volume=6_561_000,
        shares_outstanding=1_728_000_000,
        daily_volatility=0.0157,
        days=0.1,
    ).realised_bps == pytest.approx(32.224, abs=0.0005)


@pytest.mark.parametrize("model", COST_MODELS)
def test_a_model_without_a_volume_gives_the_spread_alone(model):
    cost = COST_MODELS[model](replace(WORK, average_daily_volume=None), BY)
    assert (cost.bps, cost.impact_bps, cost.basis) == (2.0, 0.0, "SPREAD_ONLY")


@pytest.mark.parametrize("model", ["square_root", "almgren"])
def test_an_unknown_volatility_is_taken_for_two_per_cent_and_said(model):
    blind, two = (COST_MODELS[model](replace(WORK, daily_volatility=s), BY) for s in (None, 0.02))
    assert blind.bps == two.bps
    assert (blind.basis, two.basis) == ("VOLATILITY_ASSUMED", "SPREAD_AND_IMPACT")


@pytest.mark.parametrize(
    ("model", "covariance", "error"),
    [
        pytest.param("guide", None, None, id="the guide's coefficient: nobody measured it"),
        pytest.param("square_root", None, None, id="of order one: nobody measured it"),
        pytest.param("guide", ((0.02**2,),), 0.2, id="a fifth of the coefficient"),
        pytest.param("square_root", ((0.3**2,),), 0.3, id="three tenths of it"),
    ],
)
def test_the_standard_error_is_that_of_the_coefficient(model, covariance, error):
    cost = COST_MODELS[model](WORK, replace(BY, covariance=covariance))
    expected = None if error is None else pytest.approx(error * cost.impact_bps)
    assert cost.standard_error_bps == expected


def test_the_published_coefficients_have_published_errors():
    """gamma +- 0.041 and eta +- 0.0062, independent, of I / 2 = 9.93 and K = 22.294 bps."""
    by = replace(BY, shares_outstanding_days=1728 / 6.561)
    error = COST_MODELS["almgren"](WORK, by).standard_error_bps
    parts = 9.93 / 0.314 * 0.041, 22.294 / 0.142 * 0.0062
    assert error == pytest.approx((parts[0] ** 2 + parts[1] ** 2) ** 0.5, rel=1e-3)


def test_coefficients_that_move_against_each_other_cancel():
    together = replace(BY, covariance=((0.01, 0.004), (0.004, 0.01)))
    against = replace(BY, covariance=((0.01, -0.004), (-0.004, 0.01)))
    less, more = (COST_MODELS["almgren"](WORK, by).standard_error_bps for by in (against, together))
    assert less < more


@pytest.mark.parametrize("model", ["guide", "square_root"])
def test_the_standard_error_grows_with_urgency_and_has_no_basis_without_a_volume(model):
    by = replace(BY, covariance=((0.01,),))
    calm, urgent, blind = (
        COST_MODELS[model](replace(WORK, **changes), by).standard_error_bps
        for changes in ({}, {"urgent": True}, {"average_daily_volume": None})
    )
    assert urgent == pytest.approx(1.5 * calm)
    assert blind is None


@pytest.mark.parametrize("model", ["guide", "square_root"])
def test_urgency_costs_by_a_model_that_does_not_know_the_duration(model):
    calm, urgent = (COST_MODELS[model](replace(WORK, urgent=u), BY) for u in (False, True))
    assert urgent.bps == pytest.approx(1.5 * calm.bps)
    assert urgent.urgency_bps == pytest.approx(urgent.bps - calm.bps)


def test_timing_risk_is_that_of_a_straight_line():
    assert timing_risk_bps(0.02, 0.75) == pytest.approx(100)


def asked(minutes, **changes):
    [found] = alternatives(question(**changes), {"TWAP": at(minutes)})
    return found


@pytest.mark.parametrize(
    ("minutes", "changes", "participation", "feasible", "by"),
    [
        pytest.param(100, {}, 0.1, True, 10, id="no cap: all of the volume is the limit"),
        pytest.param(5, {}, 2.0, False, 10, id="more than trades"),
        pytest.param(100, {"cap": 0.1}, 0.1, True, 100, id="just under the cap"),
        pytest.param(99, {"cap": 0.1}, 1000 / 9900, False, 100, id="just above it"),
        pytest.param(390, {"cap": 0.02}, 1000 / 39000, False, None, id="not in this session"),
        pytest.param(100, {"session_volume": None}, None, None, None, id="volume unknown"),
    ],
)
def test_feasibility_compares_the_order_with_the_volume(
    minutes, changes, participation, feasible, by
):
    found = asked(minutes, **changes)
    assert found.participation == pytest.approx(participation) if participation else True
    assert (found.participation is None) == (participation is None)
    assert (found.feasible, found.feasible_by) == (feasible, at(by) if by else None)


def test_the_deviation_grows_with_the_window_and_has_no_basis_without_volatility():
    assert asked(390).deviation_bps == pytest.approx(timing_risk_bps(0.02, 1))
    assert asked(39).deviation_bps == pytest.approx(timing_risk_bps(0.02, 0.1))
    assert asked(390, daily_volatility=None).as_json()["deviation_bps"] is None


def test_a_shorter_window_costs_more_by_the_almgren_model():
    assert asked(30, model="almgren").cost_bps > asked(300, model="almgren").cost_bps


def test_slicing_a_large_order_visibly_pays():
    """A tenth of the day's volume at once, over half an hour, over the day."""
    ends = {"MARKET": at(1), "TWAP": at(30), "VWAP": CLOSE}
    at_once, half_hour, day = (
        found.cost_bps for found in alternatives(question(quantity=3_900, model="almgren"), ends)
    )
    assert at_once > 3 * half_hour > 6 * day


def test_slicing_a_small_order_visibly_does_not():
    ends = {"MARKET": at(1), "VWAP": CLOSE}
    small = question(quantity=100, average_daily_volume=100e6, session_volume=100e6)
    at_once, day = alternatives(replace(small, model="almgren"), ends)
    assert at_once.cost_bps - day.cost_bps < 1
    assert day.deviation_bps > 50 * at_once.cost_bps


def test_algorithms_over_the_same_window_differ():
    """Volume at both ends: equal slices pay more than following it; an aversion to risk pays more
    impact for less risk; what keeps to its rate is done early."""
    uneven = question(
        quantity=3_900,
        model="almgren",
        profile=Profile.even([4.0, 1.0, 1.0, 4.0]),
        risk_aversion=1e-3,
        participation=0.2,
    )
    found = alternatives(uneven, dict.fromkeys(("TWAP", "VWAP", "IS", "POV"), CLOSE))
    twap, vwap, shortfall, pov = found
    assert vwap.cost_bps < twap.cost_bps < shortfall.cost_bps
    assert shortfall.deviation_bps < twap.deviation_bps
    assert pov.end < CLOSE
    assert pov.participation == pytest.approx(0.2, rel=0.02)
    assert pov.cost_bps > vwap.cost_bps


@pytest.mark.parametrize(
    ("weights", "volumes", "grows_by"),
    [
        pytest.param([1, 1], [3, 3], 1.0, id="as the volume"),
        pytest.param([3, 1], [3, 1], 1.0, id="as the volume, uneven"),
        pytest.param([1, 0], [1, 1], 2**0.6, id="all in half of the volume"),
        pytest.param([1, 1], [1, 0], 0.5 * 0.5**0.6 + 0.5 * 100**0.6, id="half without volume"),
        pytest.param([1, 1], [0, 0], 1.0, id="no volume known"),
    ],
)
def test_the_concentration_of_a_schedule(weights, volumes, grows_by):
    assert concentration(weights, volumes) == pytest.approx(grows_by)


def test_the_risk_of_a_schedule_is_that_of_its_holding():
    assert schedule_risk_bps(0.02, 1.0, [1.0] * 12) == pytest.approx(timing_risk_bps(0.02, 1.0))
    assert schedule_risk_bps(0.02, 1.0, [1.0, 0.0]) == pytest.approx(timing_risk_bps(0.02, 0.5))


@pytest.mark.parametrize(
    ("limit_bps", "cost"), [(None, -2.0), (-10.0, -10.0), (1.5, 1.5), (2.0, 2.0), (2.1, 2.1)]
)
def test_a_limit_order_costs_its_own_price_if_it_fills(limit_bps, cost):
    [found] = alternatives(question(limit_bps=limit_bps), {"LIMIT": CLOSE})
    assert (found.cost_bps, found.basis, found.deviation_bps) == (cost, "IF_FILLED", None)


def test_a_limit_far_beyond_the_market_costs_what_the_market_asks():
    ends = {"LIMIT": CLOSE, "POV": CLOSE}
    limit, pov = alternatives(question(limit_bps=190.0, participation=1e-9), ends)
    assert (limit.cost_bps, limit.basis) == (pov.cost_bps, pov.basis)
    assert 2.0 < limit.cost_bps < 190.0


def test_each_algorithm_has_its_own_window():
    ends = {"MARKET": at(1), "VWAP": at(120)}
    told = [found.as_json() for found in alternatives(ASKED, ends)]
    assert [(each["algorithm"], each["finish"]) for each in told] == [
        ("MARKET", at(1).isoformat()),
        ("VWAP", at(120).isoformat()),
    ]


def test_a_window_after_the_close_has_no_volume():
    evening = question(start=CLOSE + timedelta(minutes=5))
    [found] = alternatives(evening, {"LIMIT": CLOSE + timedelta(hours=1)})
    assert (found.participation, found.feasible_by) == (None, None)
    assert found.feasible is False


def test_the_slippage_model_may_be_chosen():
    asked = {"symbol": "IBM", "quantity": 656_100, "action": "BUY", "current_price": 100}
    known = {"avg_daily_volume": 6_561_000, "volatility": 0.02, "spread_bps": 4}
    model = SlippageModel(model="square_root")
    assert model.estimate_slippage(**asked, **known).slippage_bps == pytest.approx(
        2 + 63.25 * 2 / 3, abs=0.01
    )
    assert model.estimate_slippage(**asked, **known).standard_error_bps is None
    assert "standard error: n/a" in str(model.estimate_slippage(**asked, **known))
    with pytest.raises(ValueError, match=r"model = 'cubic': .*'almgren', 'square_root' or"):
        SlippageModel(model="cubic")
