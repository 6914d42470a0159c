"""Fits on synthetic orders whose true coefficients are known."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.cost_calibration import calibrate, walk_forward
from execution.domain.cost_fit import Observation, fit
from execution.domain.cost_models import COST_MODELS, Coefficients, Work, timing_risk_bps
from execution.domain.interval_coverage import coverage

BEGAN = datetime(2026, 1, 5, 15, tzinfo=UTC)
PRIORS = {"guide": (0.1,), "square_root": (1.0,), "almgren": (0.314, 0.142)}
TRUTHS = {"guide": (0.16,), "square_root": (0.6,), "almgren": (0.4, 0.1)}


def orders(count, truth, *, model="guide", seed=1, noise=1.0, wild=0.0, share=0.01):
    """Orders of about `share` of the daily volume, their costs by the model with its true
    coefficients, the price's own moves on top; `wild` of them are 2,000 bps off."""
    rng = random.Random(seed)
    made = []
    for k in range(count):
        work = Work(
            quantity=round(1e8 * share * rng.uniform(0.1, 3)),
            spread_bps=4.0,
            average_daily_volume=1e8,
            daily_volatility=rng.uniform(0.01, 0.03),
            days=rng.choice([0.02, 0.1, 0.3, 0.8]),
        )
        units = COST_MODELS[model].unit_impact(work, Coefficients())
        deviation = timing_risk_bps(work.daily_volatility, work.days)
        impact = sum(c * unit for c, unit in zip(truth, units, strict=True))
        error = rng.gauss(0, noise * deviation)
        if rng.random() < wild:
            error = rng.choice([-2000, 2000])
        start = BEGAN + timedelta(hours=k)
        end = start + timedelta(minutes=30)
        made.append(Observation(start, end, 2 + impact + error, 2.0, units, deviation))
    return made


@pytest.mark.parametrize("model", COST_MODELS)
@pytest.mark.parametrize(
    ("count", "noise", "wild"),
    [
        pytest.param(200, 1.0, 0.0, id="prices alone"),
        pytest.param(200, 1.5, 0.0, id="wilder than the volatility says"),
        pytest.param(200, 1.0, 0.1, id="a tenth are outliers"),
    ],
)
def test_the_truth_is_recovered_within_its_standard_error(model, count, noise, wild):
    """Of 40 histories at most six may be further off than two standard errors."""
    far = 0
    for seed in range(40):
        seen = orders(count, TRUTHS[model], model=model, seed=seed, noise=noise, wild=wild)
        found = fit(seen, PRIORS[model])
        triples = zip(found.coefficients, TRUTHS[model], found.standard_errors, strict=True)
        far += any(abs(value - true) > 2 * error for value, true, error in triples)
    assert far <= 6


def test_the_standard_error_shrinks_with_the_data():
    errors = [fit(orders(n, (0.16,)), (0.1,)).standard_errors[0] for n in (0, 10, 100, 1000)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(0.15)  # one and a half times the prior
    assert errors[2] / errors[3] == pytest.approx(10**0.5, rel=0.2)


@pytest.mark.parametrize("model", COST_MODELS)
def test_without_data_the_prior_is_the_answer(model):
    assert fit([], PRIORS[model]).coefficients == pytest.approx(PRIORS[model])


def test_few_small_orders_say_little():
    """Their impact is lost in the price's own moves."""
    found = fit(orders(5, (0.4,), share=1e-6), (0.1,))
    assert found.coefficients[0] == pytest.approx(0.1, abs=found.standard_errors[0] / 4)
    assert found.prior_shares[0] > 0.95


@pytest.mark.parametrize("off_by", [3, 1 / 3])
@pytest.mark.parametrize(("count", "share"), [(30, 0.01), (30, 0.001), (200, 0.001)])
def test_the_interval_holds_the_truth_far_from_the_prior(count, share, off_by):
    found = [
        fit(orders(count, (off_by,), model="square_root", seed=seed, share=share), (1.0,))
        for seed in range(200 if count == 30 else 100)
    ]
    held = [abs(f.coefficients[0] - off_by) <= 1.96 * f.standard_errors[0] for f in found]
    assert 0.92 <= sum(held) / len(held) <= 0.98


@pytest.mark.parametrize(
    ("count", "share", "least", "most"),
    [
        pytest.param(0, 0.01, 1, 1, id="no data"),
        pytest.param(30, 0.001, 0.2, 0.5, id="few small orders"),
        pytest.param(200, 0.01, 0, 0.02, id="many large ones"),
    ],
)
def test_a_fit_says_how_much_of_it_is_prior(count, share, least, most):
    seen = orders(count, (1.0,), model="square_root", share=share)
    [prior] = fit(seen, (1.0,)).prior_shares
    assert least <= prior <= most


def test_orders_that_contradict_the_prior_widen_it():
    """Thirty times the prior: drawn to it, the fit would be two standard errors too low."""
    seen = orders(30, (3.0,), model="guide", share=1e-4)
    found = fit(seen, (0.1,))
    assert found.widened > 4
    assert found.prior_shares[0] < 0.01
    assert abs(found.coefficients[0] - 3.0) < 2 * found.standard_errors[0]
    assert fit(orders(30, (0.1,)), (0.1,)).widened == 1


@pytest.mark.parametrize(
    ("seen", "scale", "least", "most"),
    [
        pytest.param(orders(30, (0.16,)), 1, 0.92, 0.98, id="thirty orders"),
        pytest.param(orders(3, (0.16,)), 3, 0.5, 0.9, id="three wild ones"),
    ],
)
def test_simulated_coverage(seen, scale, least, most):
    held = coverage(seen, (0.1,), scale)
    assert least < held < most
    assert held == coverage(seen, (0.1,), scale)


def test_intervals_that_do_not_hold_are_not_adopted():
    """Three orders far wilder than the volatility says, and a demand that three are enough."""
    found = calibrate(orders(3, (0.3,), seed=0, noise=4), (0.1,), fewest=3)
    assert found.refused.startswith("its 95 % intervals hold the truth in 76%")


def test_one_perfect_order_is_not_certainty():
    [seen] = orders(1, (0.16,), noise=0, share=1e-4)
    found = fit([seen], (0.1,))
    assert 0.1 < found.coefficients[0] < 0.16
    assert found.standard_errors[0] > 0.02


def test_one_wild_order_pulls_no_harder_than_a_moderate_one():
    seen = orders(100, (0.16,))
    far = [replace(seen[0], realised_bps=10_000.0), *seen[1:]]
    further = [replace(seen[0], realised_bps=1e6), *seen[1:]]
    calm, wild, wilder = (fit(each, (0.1,)).coefficients[0] for each in (seen, far, further))
    assert wild == pytest.approx(calm, abs=0.002)
    assert wilder == pytest.approx(wild, abs=1e-6)


@pytest.mark.parametrize(
    ("seen", "refused"),
    [
        pytest.param(orders(100, (0.16,)), "", id="better than the prior"),
        pytest.param(orders(29, (0.16,)), "29 orders are fewer than 30", id="too few"),
        pytest.param([], "0 orders are fewer than 30", id="none"),
        pytest.param(
            orders(100, (-0.05,)), "a fitted coefficient is not positive", id="impact that earns"
        ),
        pytest.param(
            orders(60, (0.1,), noise=0),
            "out of sample the fit is no better than the prior",
            id="the prior is the truth",
        ),
    ],
)
def test_what_is_adopted(seen, refused):
    found = calibrate(seen, (0.1,), fewest=30)
    assert (found.refused, found.adopted) == (refused, not refused)
    assert found.n == found.in_sample.n == len(seen)


def test_both_errors_compare_the_fit_with_the_prior_over_the_same_orders():
    found = calibrate(orders(200, (0.2,)), (0.1,), fewest=30)
    assert found.out_of_sample.n == 100
    for errors in (found.in_sample, found.out_of_sample):
        assert errors.fitted_bps < errors.prior_bps


def test_the_walk_forward_sees_nothing_that_had_not_ended():
    """Were the later half known, its own change of regime would be fitted."""
    early, late = orders(100, (0.1,), noise=0), orders(200, (0.3,), noise=0)[100:]
    assert walk_forward(early + late, (0.1,)).fitted_bps > 1
    unending = [replace(each, ended=BEGAN + timedelta(days=99)) for each in early + late]
    blind = walk_forward(unending, (0.1,))
    assert blind.fitted_bps == pytest.approx(blind.prior_bps)


@given(seed=st.integers(0, 10**6), count=st.integers(0, 40), truth=st.floats(0.0, 0.5))
def test_the_fit_is_finite_and_indifferent_to_the_order_of_the_rows(seed, count, truth):
    seen = orders(count, (truth,), seed=seed)
    one, other = fit(seen, (0.1,)), fit(seen[::-1], (0.1,))
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-6)
    assert 0 < one.standard_errors[0] <= 0.15 * one.widened * (1 + 1e-9)


@pytest.mark.parametrize(
    ("seen", "prior", "message"),
    [
        ([], (0.0,), "every coefficient must be positive"),
        ([], (), "every coefficient must be positive"),
        ([replace(orders(1, (0.1,))[0], deviation_bps=0.0)], (0.1,), "deviation_bps = 0"),
    ],
)
def test_wrong_input_is_refused(seen, prior, message):
    with pytest.raises(ValueError, match=message):
        calibrate(seen, prior, fewest=30)
