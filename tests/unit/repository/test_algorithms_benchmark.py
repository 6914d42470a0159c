"""The comparison of algorithms on recorded sessions: what it counts, and on what."""

from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest

from benchmarks.algorithms import WINDOWS, Worked, estimate, figures
from benchmarks.bars import REGULAR_MINUTES, Day
from benchmarks.parent_orders import Parent, tape_of
from benchmarks.stock_days import Case
from deepstack.config import Config
from execution.domain.volume_profile import Profile
from execution.market.base import TapeBar
from tests.unit.domain.days import CLOSE, FULL_DAY, OPEN, at

USUAL = 2_000  # shares a minute
FLAT = Profile.even([1.0])
MINUTE = timedelta(minutes=1)
D = Decimal


def bar(minute: int, price: Decimal) -> TapeBar:
    low, high = price - D("0.05"), price + D("0.05")
    return TapeBar("AAPL", at(minute), MINUTE, price, high, low, price, USUAL, price)


def parent(step: Decimal, config: Config, *, quantity: int = 6_000) -> Parent:
    """Two hours of an afternoon whose price moves by `step` a minute."""
    day = Day(OPEN, [USUAL] * REGULAR_MINUTES)
    usual = float(USUAL * REGULAR_MINUTES)
    case = Case(day, FULL_DAY, FLAT, FLAT, usual, usual, "AAPL")
    bars = [bar(minute, D(100) + step * minute) for minute in range(-5, REGULAR_MINUTES)]
    tape = tape_of(case, {("AAPL", FULL_DAY.day): bars}, config)
    return Parent(case, tape, 0.02, at(270), CLOSE, quantity, config)


def config(coefficient: float) -> Config:
    plain = Config()
    impact = plain.paper.impact.model_copy(update={"coefficient": coefficient})
    paper = plain.paper.model_copy(update={"impact": impact})
    return plain.model_copy(update={"paper": paper})


@pytest.mark.parametrize("algorithm", ["TWAP", "VWAP", "POV", "IS"])
def test_what_the_price_does_by_itself_cancels_between_the_sides(algorithm: str) -> None:
    still, rising = (parent(step, config(0)) for step in (D(0), D("0.01")))
    costs = []
    for order in (still, rising):
        sides = [order.worked(algorithm, side) for side in ("BUY", "SELL")]
        assert all(one and one.filled_quantity == 6_000 for one in sides)
        costs.append(sum(float(one.arrival_bps or 0) for one in sides if one) / 2)
    assert 2.4 < costs[0] < 3.2  # half of the assumed spread, in whole cents
    assert costs[1] == pytest.approx(costs[0], abs=0.5)  # where one side alone pays 50 or so


def test_impact_costs_and_a_price_that_rises_costs_the_buyer() -> None:
    free, moved = (parent(D("0.01"), config(y)).worked("TWAP", "BUY") for y in (0, 1))
    assert free is not None
    assert moved is not None
    assert D(40) < (free.arrival_bps or 0) < (moved.arrival_bps or 0)


def test_an_order_before_the_first_quote_is_left_out() -> None:
    config_ = config(0)
    early = parent(D(0), config_)
    before = Parent(early.case, early.tape, 0.02, OPEN, CLOSE, 100, config_)
    assert before.worked("TWAP", "BUY") is None


def test_the_interval_is_that_of_days() -> None:
    days = {date(2024, 4, 1) + timedelta(days=k): [float(k % 2)] for k in range(40)}
    alone = estimate(days, random=Random(1))
    many = estimate({day: values * 20 for day, values in days.items()}, random=Random(1))
    assert many == pytest.approx(alone)
    assert alone.low < 0.5 < alone.high


def test_algorithms_are_compared_order_by_order() -> None:
    """Days differ by much more than the algorithms do."""
    window = next(iter(WINDOWS))
    orders = {
        (window, name): [
            Worked(date(2024, 4, 1) + timedelta(days=k), 10.0 * k + more, 5.0 * k, 1.0, 1.0, 9)
            for k in range(30)
        ]
        for name, more in (("VWAP", 0.0), ("TWAP", 1.0))
    }
    found = figures(orders, window, "TWAP")
    assert found["cost over VWAP"] == [1.0, 1.0, 1.0]
    assert found["cost"][0] == 146.0
