"""Means of costs, weighted by value, and their intervals."""

from decimal import Decimal
from random import Random

import pytest

from monitoring.cost_report.estimates import Sums, student_95

D = Decimal
Pairs = list[tuple[Decimal, Decimal]]


@pytest.mark.parametrize(
    ("what", "pairs", "rate"),
    [
        ("a cost on a buy of 10,000", [(D(10), D(10_000))], D("0.001")),
        ("the larger order counts more", [(D(10), D(10_000)), (D(0), D(30_000))], D("0.00025")),
        ("a gain is negative", [(D(-5), D(10_000))], D("-0.0005")),
        ("nothing", [], None),
    ],
)
def test_the_mean_is_weighted_by_value(what: str, pairs: Pairs, rate: Decimal | None) -> None:
    assert Sums.of(pairs).rate == rate, what


def test_of_equal_orders_the_error_is_that_of_a_plain_mean() -> None:
    """1, 2, 3, 4, 5 bps: mean 3, deviation 1.5811, error 0.7071, t of 4 degrees 2.7764."""
    sums = Sums.of([(D(cost), D(10_000)) for cost in (1, 2, 3, 4, 5)])
    assert sums.rate == D("0.0003")
    assert sums.standard_error == pytest.approx(0.7071e-4, rel=1e-4)
    assert sums.effective_orders == pytest.approx(5)
    assert sums.interval == pytest.approx((3e-4 - 1.963e-4, 3e-4 + 1.963e-4), rel=1e-3)


@pytest.mark.parametrize(
    ("what", "bases"),
    [
        ("no order", []),
        ("two orders", [100, 100]),
        ("one of three has nearly all of the value", [100_000, 100, 100]),
    ],
)
def test_too_few_orders_have_no_interval(what: str, bases: list[int]) -> None:
    sums = Sums.of([(D(number), D(basis)) for number, basis in enumerate(bases)])
    assert sums.half_width is None, what
    assert sums.interval is None


def test_orders_alike_have_an_interval_of_no_width() -> None:
    assert Sums.of([(D(3), D(10_000))] * 5).half_width == pytest.approx(0, abs=1e-9)


def test_sums_of_days_are_those_of_the_week() -> None:
    pairs = [(D(number), D(1000 + 100 * number)) for number in range(7)]
    days = [Sums.of([pair]) for pair in pairs]
    assert sum(days, Sums()) == Sums.of(pairs)


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (1.5, 6.0167), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423)],
)
def test_the_quantile_of_student(degrees: float, quantile: float) -> None:
    assert student_95(degrees) == pytest.approx(quantile, rel=0.03 if degrees < 2 else 0.01)


@pytest.mark.parametrize(("orders", "uneven"), [(5, 0.0), (10, 0.5), (30, 1.0), (100, 1.5)])
def test_the_interval_covers_the_truth_as_often_as_it_says(orders: int, uneven: float) -> None:
    """A true cost of 3 bps, orders that deviate by 15, values spread log-normally."""
    dice, covered, rounds = Random(1), 0, 1_500
    for _ in range(rounds):
        bases = [dice.lognormvariate(11, uneven) for _ in range(orders)]
        pairs = [(D(basis * dice.gauss(3, 15) / 10_000), D(basis)) for basis in bases]
        interval = Sums.of(pairs).interval
        covered += interval is None or interval[0] <= 3e-4 <= interval[1]
    assert 0.92 <= covered / rounds <= 0.98
