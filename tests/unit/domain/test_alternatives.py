from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from execution.domain.algorithm_comparison import Question, alternatives
from execution.domain.cost_models import (
    COST_MODELS,
    Coefficients,
    Work,
    timing_risk_bps,
)
from execution.domain.costs import default_slippage
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
ASKED = Question(
    quantity=1_000,
    start=OPEN,
    session=FULL_DAY,
    profile=Profile.even([1.0]),
    spread_bps=4.0,
    average_daily_volume=39_000.0,
    session_volume=39_000.0,  # 100 a minute
    daily_volatility=0.02,
    cap=None,
    urgent=False,
    limit_bps=None,
    model="default",
    coefficients=BY,
)


def test_the_default_model_is_the_guides():
    guide = default_slippage(
        quantity=656_100, average_daily_volume=6_561_000, spread_bps=4, daily_volatility=0.0157
    )
    assert asdict(COST_MODELS["default"](WORK, BY)) == pytest.approx(asdict(guide))


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


@pytest.mark.parametrize("model", ["square_root", "almgren"])
@pytest.mark.parametrize("unknown", ["average_daily_volume", "daily_volatility"])
def test_a_model_without_its_figures_gives_the_spread_alone(model, unknown):
    cost = COST_MODELS[model](replace(WORK, **{unknown: None}), BY)
    assert (cost.bps, cost.impact_bps, cost.basis) == (2.0, 0.0, "SPREAD_ONLY")


@pytest.mark.parametrize(
    ("model", "covariance", "error"),
    [
        pytest.param("default", None, None, id="the guide's coefficient: nobody measured it"),
        pytest.param("square_root", None, None, id="of order one: nobody measured it"),
        pytest.param("default", ((0.02**2,),), 0.2, id="a fifth of the coefficient"),
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


@pytest.mark.parametrize("model", ["default", "square_root"])
def test_the_standard_error_grows_with_urgency_and_has_no_basis_without_a_volume(model):
    by = replace(BY, covariance=((0.01,),))
    calm, urgent, blind = (
        COST_MODELS[model](replace(WORK, **changes), by).standard_error_bps
        for changes in ({}, {"urgent": True}, {"average_daily_volume": None})
    )
    assert urgent == pytest.approx(1.5 * calm)
    assert blind is None


@pytest.mark.parametrize("model", COST_MODELS)
def test_urgency_costs_by_every_model(model):
    calm, urgent = (COST_MODELS[model](replace(WORK, urgent=u), BY) for u in (False, True))
    assert urgent.bps == pytest.approx(1.5 * calm.bps)
    assert urgent.urgency_bps == pytest.approx(urgent.bps - calm.bps)


def test_timing_risk_is_that_of_a_straight_line():
    assert timing_risk_bps(0.02, 0.75) == pytest.approx(100)


def asked(minutes, **changes):
    [found] = alternatives(replace(ASKED, **changes), {"TWAP": at(minutes)})
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
    assert asked(390, daily_volatility=None).told()["deviation_bps"] is None


def test_a_shorter_window_costs_more_by_the_almgren_model():
    assert asked(30, model="almgren").cost_bps > asked(300, model="almgren").cost_bps


@pytest.mark.parametrize(("limit_bps", "cost"), [(None, -2.0), (7.5, 7.5), (-10.0, -10.0)])
def test_a_limit_order_costs_its_own_price_if_it_fills(limit_bps, cost):
    [found] = alternatives(replace(ASKED, limit_bps=limit_bps), {"LIMIT": CLOSE})
    assert (found.cost_bps, found.basis, found.deviation_bps) == (cost, "IF_FILLED", None)


def test_each_algorithm_has_its_own_window():
    ends = {"MARKET": at(1), "VWAP": at(120)}
    told = [found.told() for found in alternatives(ASKED, ends)]
    assert [(each["algorithm"], each["finish"]) for each in told] == [
        ("MARKET", at(1).isoformat()),
        ("VWAP", at(120).isoformat()),
    ]


def test_a_window_after_the_close_has_no_volume():
    evening = replace(ASKED, start=CLOSE + timedelta(minutes=5))
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
    with pytest.raises(ValueError, match=r"model = 'cubic': .*'default', 'square_root' or"):
        SlippageModel(model="cubic")
