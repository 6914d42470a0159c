"""The ways in which an order could be worked, each with its estimated cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from execution.domain.algorithms import registry
from execution.domain.algorithms.base import Spec
from execution.domain.algorithms.registry import Algorithm
from execution.domain.cost_models import (
    COST_MODELS,
    Coefficients,
    Work,
    concentration,
    schedule_risk_bps,
    timing_risk_bps,
)
from execution.domain.costs import Basis, CostEstimate
from execution.domain.slice_times import even_times

MINUTE = timedelta(minutes=1)
INTERVALS = 12  # of a window, to compare how algorithms spread an order over it


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of an order before it is worked.

    `spec` is what its plan would be made from, over any window; `cap` the largest share of the
    market's volume that it may be, `limit_bps` how far beyond the mid its limit lies, + is a cost.
    None is unknown, for `cap` none is set.
    """

    spec: Spec
    cap: float | None
    urgent: bool
    limit_bps: float | None
    model: str
    coefficients: Coefficients

    def over(self, end: datetime) -> Spec:
        return replace(self.spec, end=end, slices=INTERVALS)

    def volume(self, end: datetime) -> float | None:
        """Expected of the market from the start until `end`."""
        spec = self.spec
        if spec.session_volume is None:
            return None
        return spec.session_volume * spec.profile.share_between(spec.session, spec.start, end)

    def days(self, end: datetime) -> float:
        """From the start until `end`, in days of average volume; by the clock where no volume is
        known."""
        volume, usual = self.volume(end), self.spec.average_daily_volume
        return self.sessions(end) if volume is None or not usual else volume / usual

    def sessions(self, end: datetime) -> float:
        """The same in parts of a regular session."""
        return (end - self.spec.start) / self.spec.session.length

    def work(self, end: datetime, *, concentration: float = 1.0) -> Work:
        spec = self.spec
        return Work(
            quantity=spec.quantity,
            spread_bps=spec.spread_bps,
            average_daily_volume=spec.average_daily_volume,
            daily_volatility=spec.daily_volatility,
            days=self.days(end),
            urgent=self.urgent,
            concentration=concentration,
        )


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to work the order; + is a cost, in bps of its value.

    `standard_error_bps` is that of the expected cost, `deviation_bps` by how much one order's cost
    may then deviate from it as the price moves; None where nothing is known to compute it from.
    `participation` is the order over the volume expected in its window. `feasible` compares that
    with the cap, or with all of the volume; of an order that follows the tape, with its rate.
    `feasible_by` is the earliest end at which it would be, None when the session does not suffice
    or nothing is known.
    """

    algorithm: str
    end: datetime
    cost_bps: float
    standard_error_bps: float | None
    spread_bps: float
    impact_bps: float
    basis: str
    deviation_bps: float | None
    participation: float | None
    feasible: bool | None
    feasible_by: datetime | None

    def as_json(self) -> dict[str, object]:
        """As plain values; None for an error or a deviation that nothing supports."""
        return {
            "algorithm": self.algorithm,
            "finish": self.end.isoformat(),
            "cost_bps": round(self.cost_bps, 4),
            "standard_error_bps": rounded(self.standard_error_bps),
            "spread_bps": round(self.spread_bps, 4),
            "impact_bps": round(self.impact_bps, 4),
            "basis": self.basis,
            "deviation_bps": rounded(self.deviation_bps),
            "participation": None if self.participation is None else round(self.participation, 6),
            "feasible": self.feasible,
            "feasible_by": self.feasible_by.isoformat() if self.feasible_by else None,
        }


def rounded(bps: float | None) -> float | None:
    return None if bps is None else round(bps, 4)


def alternatives(question: Question, ends: Mapping[str, datetime]) -> tuple[Alternative, ...]:
    """One alternative for each algorithm, whose window would end at the given time."""
    soonest = feasible_by(question)
    return tuple(_alternative(question, name, end, soonest) for name, end in ends.items())


def _alternative(
    question: Question, algorithm: str, end: datetime, soonest: datetime | None
) -> Alternative:
    kind = registry.of(algorithm)
    end = _paced_end(question, end) if kind.follows_tape else end
    volume = question.volume(end)
    cost = estimate(question, algorithm, end)
    cap = question.spec.participation if kind.follows_tape else question.cap
    return Alternative(
        algorithm=algorithm,
        end=end,
        cost_bps=cost.bps,
        standard_error_bps=cost.standard_error_bps,
        spread_bps=cost.spread_bps,
        impact_bps=cost.impact_bps,
        basis=str(cost.basis),
        deviation_bps=None if kind.rests else _deviation_bps(question, kind, end),
        participation=question.spec.quantity / volume if volume else None,
        feasible=None if volume is None else _fits(question.spec.quantity, cap, volume),
        feasible_by=soonest,
    )


def _fits(quantity: int, cap: float | None, volume: float) -> bool:
    # A millionth of a share: the sum of a profile's shares is not exact.
    return quantity <= (cap or 1.0) * volume + 1e-6


def estimate(question: Question, algorithm: str, end: datetime) -> CostEstimate:
    """What the order is expected to cost if the algorithm works it until `end`."""
    kind = registry.of(algorithm)
    if kind.rests:
        return _at_its_limit(question, end)
    return over_window(question, end, concentration=_concentration(question, kind, end))


def _at_its_limit(question: Question, end: datetime) -> CostEstimate:
    """A child that rests joins its own side of the book, or waits at its limit: that is what it
    costs if it fills. One whose limit is beyond the far touch trades at the market's prices, which
    its limit only bounds.
    """
    half, limit = question.spec.spread_bps / 2, question.limit_bps
    price = -half if limit is None else limit
    if price > half:
        taken = over_window(question, end)
        if taken.bps < price:
            return taken
    return CostEstimate(price, price, 0.0, 0.0, Basis.IF_FILLED)


def over_window(question: Question, end: datetime, *, concentration: float = 1.0) -> CostEstimate:
    """What the order is expected to cost by the chosen model, worked until `end`."""
    work = question.work(end, concentration=concentration)
    return COST_MODELS[question.model](work, question.coefficients)


def _concentration(question: Question, kind: Algorithm, end: datetime) -> float:
    if kind.weights is None:
        return 1.0
    spec = question.over(end)
    return concentration(kind.weights(spec), _volumes(spec))


def _volumes(spec: Spec) -> Sequence[float]:
    """The share of the session's volume expected in each interval of the window."""
    times = even_times(spec.start, spec.end, spec.slices)
    return spec.profile.weights(spec.session, times, spec.end)


def _deviation_bps(question: Question, kind: Algorithm, end: datetime) -> float | None:
    volatility, sessions = question.spec.daily_volatility, question.sessions(end)
    if not volatility:
        return None
    if not kind.over_time:
        return timing_risk_bps(volatility, sessions)
    spec = question.over(end)
    weights = _volumes(spec) if kind.weights is None else kind.weights(spec)
    if not any(weights):
        return timing_risk_bps(volatility, sessions)
    return schedule_risk_bps(volatility, sessions, weights)


def feasible_by(question: Question) -> datetime | None:
    """The first whole minute after the start by which the cap's part of the expected volume, or all
    of it without a cap, reaches the quantity."""
    return _reached(question, question.cap or 1.0)


def _paced_end(question: Question, end: datetime) -> datetime:
    """When an order that keeps to its participation rate is done, at the end of its window at the
    latest."""
    reached = _reached(question, question.spec.participation)
    return end if reached is None else min(reached, end)


def _reached(question: Question, share: float) -> datetime | None:
    spec = question.spec
    length = spec.session.close - spec.start

    def enough(minutes: int) -> bool:
        end = min(spec.start + MINUTE * minutes, spec.session.close)
        return _fits(spec.quantity, share, question.volume(end) or 0.0)

    low, high = 0, ceil(length / MINUTE)
    if high < 1 or not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return min(spec.start + MINUTE * high, spec.session.close)
