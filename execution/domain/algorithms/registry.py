"""The execution algorithms. To add one: write its plan, add its line."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from execution.domain.algorithms.base import PlannedSlice, plan_single
from execution.domain.algorithms.implementation_shortfall import plan_is
from execution.domain.algorithms.pov import plan_pov
from execution.domain.algorithms.twap import plan_twap
from execution.domain.algorithms.vwap import plan_vwap
from execution.domain.session import Session
from execution.domain.volume_profile import Profile


@dataclass(frozen=True, slots=True)
class Spec:
    """What a plan is made from; `slices` is a wish, a small order gets fewer.

    Volumes in shares of a session, `session_volume` of this one; `price` per share, the volatility
    a fraction a day, `risk_aversion` per $. None is unknown. What is worked at once has one slice,
    whatever the bounds of slices.
    """

    quantity: int
    start: datetime
    end: datetime
    slices: int
    session: Session
    profile: Profile
    seed: int
    jitter: timedelta
    participation: float = 0.10
    session_volume: float | None = None
    average_daily_volume: float | None = None
    daily_volatility: float | None = None
    price: float | None = None
    spread_bps: float = 0.0
    risk_aversion: float = 0.0
    lot: int = 1
    min_slice: int = 1
    max_slice: int | None = None


def _single(spec: Spec) -> tuple[PlannedSlice, ...]:
    return plan_single(spec.quantity, spec.start, spec.end)


def _twap(spec: Spec) -> tuple[PlannedSlice, ...]:
    return plan_twap(
        quantity=spec.quantity,
        start=spec.start,
        end=spec.end,
        slices=spec.slices,
        jitter=spec.jitter,
        seed=spec.seed,
        lot=spec.lot,
        min_slice=spec.min_slice,
        max_slice=spec.max_slice,
    )


def _vwap(spec: Spec) -> tuple[PlannedSlice, ...]:
    return plan_vwap(
        quantity=spec.quantity,
        start=spec.start,
        end=spec.end,
        slices=spec.slices,
        session=spec.session,
        profile=spec.profile,
        jitter=spec.jitter,
        seed=spec.seed,
        lot=spec.lot,
        min_slice=spec.min_slice,
        max_slice=spec.max_slice,
    )


def _pov(spec: Spec) -> tuple[PlannedSlice, ...]:
    return plan_pov(
        quantity=spec.quantity,
        start=spec.start,
        end=spec.end,
        slices=spec.slices,
        session=spec.session,
        profile=spec.profile,
        participation=spec.participation,
        session_volume=spec.session_volume,
        jitter=spec.jitter,
        seed=spec.seed,
        lot=spec.lot,
        min_slice=spec.min_slice,
        max_slice=spec.max_slice,
    )


def _is(spec: Spec) -> tuple[PlannedSlice, ...]:
    return plan_is(
        quantity=spec.quantity,
        start=spec.start,
        end=spec.end,
        slices=spec.slices,
        session=spec.session,
        price=spec.price,
        spread_bps=spec.spread_bps,
        average_daily_volume=spec.average_daily_volume,
        daily_volatility=spec.daily_volatility,
        risk_aversion=spec.risk_aversion,
        jitter=spec.jitter,
        seed=spec.seed,
        lot=spec.lot,
        min_slice=spec.min_slice,
        max_slice=spec.max_slice,
    )


ALGOS: dict[str, Callable[[Spec], tuple[PlannedSlice, ...]]] = {
    "MARKET": _single,
    "LIMIT": _single,
    "TWAP": _twap,
    "VWAP": _vwap,
    "POV": _pov,
    "IS": _is,
}

# Worked over time, in many slices.
SCHEDULED = frozenset({"TWAP", "VWAP", "POV", "IS"})
