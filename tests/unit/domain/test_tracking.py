import random
from dataclasses import replace
from datetime import date, timedelta
from math import sqrt

import pytest

from execution.domain.algorithms.registry import ALGOS
from execution.domain.traded_sessions import Minute, TradedDay, traded_day
from execution.domain.volume_profile import Profile
from execution.domain.vwap_tracking import STEPS, expected_deviation_bps, learn_deviations
from tests.unit.domain.days import FULL_DAY, HALF_DAY, at, session, spec

MINUTE = timedelta(minutes=1)
USUAL = [400 + abs(2 * minute - 390) for minute in range(390)]


def walk(rng, daily=0.02):
    """A price that moves by `daily` in a session."""
    price, prices = 100.0, []
    for _ in range(390):
        price *= 1 + rng.gauss(0, daily / sqrt(390))
        prices.append(price)
    return tuple(prices)


def days(count=20, *, noise=0.5, daily=0.02, seed=1):
    """Sessions of the usual shape, each minute's volume off by a factor of e ** noise."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        volumes = tuple(int(v * rng.lognormvariate(0, noise)) for v in USUAL)
        prices = walk(rng, daily)
        made.append(TradedDay(date(2024, 5, 1 + number), volumes, prices, prices[-1]))
    return made


def whole_day(learned, schedule):
    return learned[schedule][0][STEPS - 1]


def test_what_trades_as_every_other_day_has_no_error():
    learned = learn_deviations(days(noise=0.0))
    assert whole_day(learned, "profile") == pytest.approx(0, abs=0.01)
    assert whole_day(learned, "even") > 5


def test_a_price_that_stands_still_has_no_error():
    still = [replace(day, prices=(50.0,) * 390) for day in days()]
    learned = learn_deviations(still)
    assert whole_day(learned, "profile") == whole_day(learned, "even") == 0


def test_twice_the_volatility_is_twice_the_deviation():
    calm, wild = (whole_day(learn_deviations(days(daily=d)), "profile") for d in (0.01, 0.02))
    assert wild == pytest.approx(2 * calm, rel=0.1)


def test_a_session_is_not_forecast_by_itself():
    """One wild day among quiet ones: it taught the profile nothing that it is measured by."""
    odd = days(5, noise=0.0)
    rng = random.Random(7)
    odd[2] = replace(odd[2], volumes=tuple(int(v * rng.lognormvariate(0, 2)) for v in USUAL))
    shapes = [[v / sum(day.volumes) for v in day.volumes] for day in odd]
    others = [sum(s[k] for n, s in enumerate(shapes) if n != 2) for k in range(390)]
    ours = sum(w * p for w, p in zip(others, odd[2].prices, strict=True)) / sum(others)
    market = sum(v * p for v, p in zip(odd[2].volumes, odd[2].prices, strict=True)) / sum(
        odd[2].volumes
    )
    error = abs(ours / market - 1) * 1e4
    assert whole_day(learn_deviations(odd), "profile") > error / sqrt(5)


def test_too_few_sessions_teach_nothing():
    assert learn_deviations(days(4)) == {}
    assert set(learn_deviations(days(5))) == {"profile", "even"}


def test_a_window_that_hardly_ever_trades_is_not_known():
    quiet = [replace(day, volumes=(0,) * 30 + day.volumes[30:]) for day in days()]
    learned = learn_deviations(quiet)
    assert learned["even"][0][0] is None
    assert learned["even"][1][0] is not None


LEARNED = {
    "profile": [[float(10 * first + n) for n in range(STEPS - first)] for first in range(STEPS)],
    "even": [[100.0] * (STEPS - first) for first in range(STEPS)],
}


def expected(start=0, end=390, *, algorithm="VWAP", on=FULL_DAY, learned=LEARNED, **known):
    plan = ALGOS["TWAP"].plan(spec(1_000, 10, start=at(start), end=at(end)))
    known = {"daily_volatility": None, "spread_bps": 0.0} | known
    return expected_deviation_bps(learned, algorithm, on, plan, end=at(end), **known)


@pytest.mark.parametrize(
    ("start", "end", "bps"),
    [
        pytest.param(0, 390, 12, id="the whole session"),
        pytest.param(0, 30, 0, id="its first half-hour"),
        pytest.param(360, 390, 120, id="its last"),
        pytest.param(60, 180, 23, id="from half-hour to half-hour"),
        pytest.param(65, 170, 23, id="inside of them"),
        pytest.param(59, 181, 15, id="just beyond them"),
    ],
)
def test_the_window_is_that_of_the_half_hours_it_touches(start, end, bps):
    assert expected(start, end) == bps


def test_moments_and_spread_come_on_top():
    """Ten slices of 39 minutes: 2 % * sqrt(0.1 / 3 / 10) = 11.55 bps; 6 bps are half the spread."""
    moments = 0.02 * 1e4 * sqrt(0.1 / 3 / 10)
    assert expected(daily_volatility=0.02) == pytest.approx(sqrt(12**2 + moments**2))
    assert expected(spread_bps=12.0) == pytest.approx(sqrt(12**2 + 6**2))


def test_a_slice_that_holds_most_of_the_order_tells_most():
    profile = Profile((0.0, 0.5, 1.0), (0.95, 0.05))
    plan = ALGOS["VWAP"].plan(spec(1_000, 2, profile=profile))
    flat = {"profile": [[0.0] * (STEPS - n) for n in range(STEPS)]}
    found = expected_deviation_bps(
        flat, "VWAP", FULL_DAY, plan, end=FULL_DAY.close, daily_volatility=0.02, spread_bps=0
    )
    shares = 0.95**2 + 0.05**2
    assert found == pytest.approx(200 * sqrt(shares * 0.5 / 3), rel=1e-3)


@pytest.mark.parametrize(
    ("algorithm", "bps"), [("VWAP", 12), ("POV", 12), ("TWAP", 100), ("IS", None), ("MARKET", None)]
)
def test_each_algorithm_is_held_against_its_own_schedule(algorithm, bps):
    assert expected(algorithm=algorithm) == bps


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"learned": {}}, id="nothing learned"),
        pytest.param({"on": session(always=True)}, id="a market that never closes"),
        pytest.param({"start": -30}, id="before the open"),
        pytest.param({"end": 391}, id="after the close"),
    ],
)
def test_what_is_not_known_is_none(changes):
    assert expected(**changes) is None


def test_a_half_day_is_the_same_day_compressed():
    assert expected(0, 210, on=HALF_DAY) == 12
    assert expected(0, 16, on=HALF_DAY) == 0


def test_a_minute_without_a_trade_keeps_the_last_price():
    minutes = [Minute(at(2), 10, 5.0, 4.5), Minute(at(1), 7, 4.0, 4.1), Minute(at(-1), 9, 9.0, 9.0)]
    day = traded_day(FULL_DAY, minutes)
    assert day.volumes[:4] == (0, 7, 10, 0)
    assert day.prices[:4] == (4.1, 4.1, 4.5, 4.5)
    assert day.close == 5.0
