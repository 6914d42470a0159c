"""One number for how well orders were executed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from monitoring.reporting.aggregates import Tally

# Each component is worth its weight; one that cannot be known leaves its weight to the others.
WEIGHTS: Mapping[str, float] = {
    "success": 0.30,
    "completion": 0.15,
    "on_time_rate": 0.10,
    "slippage": 0.25,
    "vwap_tracking": 0.20,
}
GRADES = ((90.0, "A"), (80.0, "B"), (70.0, "C"), (60.0, "D"))
NO_GRADE = "N/A"


@dataclass(frozen=True, slots=True)
class Quality:
    """`score` and the scores of the breakdown go from 0 (worst) to 100.

    `unknown` names the components that cannot be computed and are left out of both.
    """

    score: float
    grade: str
    breakdown: Mapping[str, float]
    unknown: tuple[str, ...]
    executions: int


def assess(tally: Tally, *, slippage_bps: Decimal, vwap_deviation: Decimal) -> Quality:
    """The weighted mean of the components that are known:

    success        100 * filled orders / finished orders
    completion     100 * shares executed / shares ordered, at most 100
    on_time_rate   100 * orders that were not slow, as the alert means it / finished orders
    slippage       100 at no cost against the arrival mid, 50 at the alert threshold, 0 at twice
                   the threshold, straight between
    vwap_tracking  the same line for the distance from the market VWAP, by its own threshold

    A is 90 and above, B 80, C 70, D 60, F below. Without a finished order there is nothing to
    judge: score 0.0, grade N/A, an empty breakdown.
    """
    if not tally.orders:
        return Quality(0.0, NO_GRADE, {}, tuple(WEIGHTS), 0)
    known = _components(tally, slippage_bps=slippage_bps, vwap_deviation=vwap_deviation)
    breakdown = {name: score for name, score in known.items() if score is not None}
    weight = sum(WEIGHTS[name] for name in breakdown)
    score = sum(WEIGHTS[name] * value for name, value in breakdown.items()) / weight
    unknown = tuple(name for name in WEIGHTS if name not in breakdown)
    return Quality(score, grade(score), breakdown, unknown, tally.orders)


def grade(score: float) -> str:
    return next((letter for least, letter in GRADES if score >= least), "F")


def _components(
    tally: Tally, *, slippage_bps: Decimal, vwap_deviation: Decimal
) -> Mapping[str, float | None]:
    return {
        "success": 100 * tally.success_rate,
        "completion": _completion(tally.fill_rate),
        "on_time_rate": 100 * (1 - tally.slow_orders / tally.orders),
        "slippage": _line(tally.slippage_bps, slippage_bps),
        "vwap_tracking": _line(tally.vwap_distance_bps, vwap_deviation * 10_000),
    }


def _completion(fill_rate: float | None) -> float | None:
    return None if fill_rate is None else 100 * min(fill_rate, 1.0)


def _line(cost: Decimal | None, threshold: Decimal) -> float | None:
    if cost is None:
        return None
    return float(max(Decimal(0), min(Decimal(100), 100 - 50 * cost / threshold)))
