"""The quality score and the sums it is made of."""

from decimal import Decimal

import pytest

from monitoring.reporting.aggregates import Tally
from monitoring.reporting.quality_score import assess, grade

D = Decimal

PERFECT = Tally(
    orders=4,
    filled_orders=4,
    ordered=4_000,
    volume=4_000,
    arrival_value=D(600_000),
    vwap_value=D(600_000),
)


def score(tally: Tally) -> dict[str, float]:
    return dict(assess(tally, slippage_bps=D(20), vwap_deviation=D("0.01")).breakdown)


def test_a_perfect_day() -> None:
    quality = assess(PERFECT, slippage_bps=D(20), vwap_deviation=D("0.01"))
    assert (quality.score, quality.grade, quality.executions) == (100.0, "A", 4)
    assert quality.unknown == ()


def test_a_day_without_executions_has_no_grade_and_still_prints() -> None:
    quality = assess(Tally(), slippage_bps=D(20), vwap_deviation=D("0.01"))
    assert f"{quality.score:.1f} {quality.grade}" == "0.0 N/A"
    assert quality.breakdown == {}
    assert quality.executions == 0


@pytest.mark.parametrize(
    ("changes", "component", "expected"),
    [
        pytest.param({"arrival_cost": D(0)}, "slippage", 100, id="no cost"),
        pytest.param({"arrival_cost": D(-600)}, "slippage", 100, id="an improvement is no bonus"),
        pytest.param({"arrival_cost": D(600)}, "slippage", 75, id="10 bps"),
        pytest.param({"arrival_cost": D(1_200)}, "slippage", 50, id="20 bps, the threshold"),
        pytest.param({"arrival_cost": D(2_400)}, "slippage", 0, id="40 bps"),
        pytest.param({"arrival_cost": D(9_999)}, "slippage", 0, id="far above"),
        pytest.param({"vwap_distance": D(6_000)}, "vwap_tracking", 50, id="1 % off VWAP"),
        pytest.param({"volume": 3_000}, "completion", 75, id="three quarters executed"),
        pytest.param({"volume": 4_400}, "completion", 100, id="overfilled is not more complete"),
        pytest.param({"filled_orders": 3}, "success", 75, id="one order not filled"),
        pytest.param({"slow_orders": 1}, "on_time_rate", 75, id="one order slow"),
    ],
)
def test_components(changes: dict[str, D | int], component: str, expected: float) -> None:
    values = {name: getattr(PERFECT, name) for name in Tally.__dataclass_fields__}
    assert score(Tally(**{**values, **changes}))[component] == pytest.approx(expected)


def test_what_is_unknown_leaves_its_weight_to_the_rest() -> None:
    blind = Tally(orders=2, filled_orders=1, ordered=200, volume=100)
    quality = assess(blind, slippage_bps=D(20), vwap_deviation=D("0.01"))
    assert quality.unknown == ("slippage", "vwap_tracking")
    assert quality.score == pytest.approx((30 * 50 + 15 * 50 + 10 * 100) / 55)


@pytest.mark.parametrize(
    ("number", "letter"),
    [(100, "A"), (90, "A"), (89.9, "B"), (80, "B"), (70, "C"), (60, "D"), (59.9, "F"), (0, "F")],
)
def test_grades(number: float, letter: str) -> None:
    assert grade(number) == letter


def test_ratios_are_ratios_of_sums() -> None:
    small = Tally(orders=1, arrival_value=D(1_000), arrival_cost=D(10))  # 100 bps
    large = Tally(orders=1, arrival_value=D(999_000), arrival_cost=D(0))
    assert Tally.total([small, large]).slippage_bps == D("0.1")


def test_ratios_without_a_basis_are_none() -> None:
    empty = Tally.total([])
    assert empty.success_rate == 0.0
    assert empty.fill_rate is None
    assert empty.slippage_bps is None
    assert empty.vwap_bps is None
    assert empty.shortfall_bps is None
