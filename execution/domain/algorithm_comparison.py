"""The ways in which an order could be worked, each with its estimated cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from execution.domain.algorithms import registry
from execution.domain.cost_models import COST_MODELS, Coefficients, Work, timing_risk_bps
from execution.domain.costs import Basis, CostEstimate
from execution.domain.session import Session
from execution.domain.volume_profile import Profile

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of an order before it is worked.

    Volumes in shares: `average_daily_volume` of a usual session, `session_volume` expected of this
    one. `limit_bps` is how far beyond the mid its limit lies, + is a cost. None is unknown, for
    `cap` none is set.
    """

    quantity: int
    start: datetime
    session: Session
    profile: Profile
    spread_bps: float
    average_daily_volume: float | None
    session_volume: float | None
    daily_volatility: float | None
    cap: float | None
    urgent: bool
    limit_bps: float | None
    model: str
    coefficients: Coefficients

    def volume(self, end: datetime) -> float | None:
        """Expected of the market from the start until `end`."""
        if self.session_volume is None:
            return None
        return self.session_volume * self.profile.share_between(self.session, self.start, end)


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to work the order; + is a cost, in bps of its value.

    `standard_error_bps` is that of the expected cost, `deviation_bps` by how much one order's cost
    may then deviate from it as the price moves; None where nothing is known to tell it by.
    `participation` is the order over the volume expected in its window. `feasible` compares that
    with the cap, or with all of the volume; `feasible_by` is the earliest end at which it would be,
    None when the session does not suffice or nothing is known.
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

    def told(self) -> dict[str, object]:
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
    volume = question.volume(end)
    part = question.quantity / volume if volume else None
    days = (end - question.start) / question.session.length
    cost = _cost(question, algorithm, days)
    fits = None if volume is None else question.quantity <= (question.cap or 1.0) * volume
    risk = None if registry.of(algorithm).rests else question.daily_volatility
    return Alternative(
        algorithm=algorithm,
        end=end,
        cost_bps=cost.bps,
        standard_error_bps=cost.standard_error_bps,
        spread_bps=cost.spread_bps,
        impact_bps=cost.impact_bps,
        basis=str(cost.basis),
        deviation_bps=timing_risk_bps(risk, days) if risk else None,
        participation=part,
        feasible=fits,
        feasible_by=soonest,
    )


def _cost(question: Question, algorithm: str, days: float) -> CostEstimate:
    if registry.of(algorithm).rests:
        # It joins its own side of the book, or waits at its limit: what it costs if it fills.
        price = -question.spread_bps / 2 if question.limit_bps is None else question.limit_bps
        return CostEstimate(price, price, 0.0, 0.0, Basis.IF_FILLED)
    work = Work(
        quantity=question.quantity,
        spread_bps=question.spread_bps,
        average_daily_volume=question.average_daily_volume,
        daily_volatility=question.daily_volatility,
        days=days,
        urgent=question.urgent,
    )
    return COST_MODELS[question.model](work, question.coefficients)


def feasible_by(question: Question) -> datetime | None:
    """The first whole minute after the start by which the cap's part of the expected volume, or all
    of it without a cap, reaches the quantity."""
    session = question.session
    length = session.close - question.start
    needed = question.quantity / (question.cap or 1.0)

    def enough(minutes: int) -> bool:
        end = min(question.start + MINUTE * minutes, session.close)
        return (question.volume(end) or 0.0) >= needed

    low, high = 0, ceil(length / MINUTE)
    if high < 1 or not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return min(question.start + MINUTE * high, session.close)
