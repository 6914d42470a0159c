"""How far an order should be, and how much it may take, by what its market has traded so far.

The tape is asked before the transaction that claims a slice; nothing of it is newer than `now`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TypedDict

from django.db.models import Sum
from django.db.models.functions import Coalesce

from execution.context import Context
from execution.domain.algorithms import registry
from execution.domain.child_sizing import Target, retarget
from execution.domain.participation import Pace
from execution.domain.session import Session
from execution.domain.volume_forecast import USUAL, Constants, dynamic_target, volume_ahead
from execution.domain.volume_grid import aimed_at, believed
from execution.domain.volume_profile import Profile
from execution.market.base import MINUTE, MarketDataUnavailable, minute_volumes, volume_since
from execution.models import Fill, Order, Slice, VolumeProfile
from execution.models.orders import working
from execution.orders.locks import lock_participation
from execution.planning import order_parameters, residual, volume_profiles
from execution.planning.participation import pace
from execution.risk import marks
from execution.risk.marks import NO_MARKS, Marks, Needed


@dataclass(frozen=True, slots=True)
class Curve:
    """Where the order should be when the slice is due and when it is done, as shares of it."""

    at_due: float
    done: float
    profile: int
    minutes: int  # of today's tape that had ended
    constants: Constants


@dataclass(frozen=True, slots=True)
class Tape:
    """What the tape says about one slice. `curve`: None where the plan stands as it was made;
    `traded`: shares that the market has traded since the order's start, None where unasked or
    unknown; `ahead`: that it is expected to trade until the close, for the last slice of an order
    that follows it until then; `marks`: what the account's symbols are worth, where a limit asks
    for it."""

    curve: Curve | None = None
    traded: float | None = None
    ahead: float = 0.0
    marks: Marks = NO_MARKS


@dataclass(frozen=True, slots=True)
class Aim:
    """The slice's target, and what to remember of it for the slices that follow."""

    target: Target
    aimed: int | None
    explanation: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    """What the participation cap leaves to the order now; `traded` None: nothing is known."""

    pace: Pace
    traded: float | None
    used: int
    lot: int = 1
    ahead: float = 0.0

    @property
    def allowed(self) -> int:
        """The pace's shares and one lot, less F + W of all parents of the symbol on that side."""
        if self.traded is None:
            return 0
        return max(self.pace.shares(self.traded, self.ahead) + self.lot - self.used, 0)

    def facts(self) -> dict[str, object]:
        traded = None if self.traded is None else round(self.traded)
        facts: dict[str, object] = {
            "cap": self.pace.cap,
            "market_volume": traded,
            "used": self.used,
        }
        if self.pace.share != self.pace.cap:
            facts |= {"share": self.pace.share, "expected_until_close": round(self.ahead)}
        return facts


def read_tape(
    part: Slice, context: Context, *, now: datetime, needed: Needed | None = None
) -> Tape:
    order, needed = part.order, needed or marks.needed(context)
    capped = pace(order, part, context.config.execution) is not None
    return Tape(
        curve=_curve(order, part, context, now=now),
        traded=_traded(order, context, now=now) if capped else None,
        ahead=_ahead(order, part, context, now=now),
        marks=marks.read(order.account, order.symbol, context, needed=needed, now=now),
    )


def aim(order: Order, part: Slice, curve: Curve | None) -> Aim:
    """The target of a slice of a locked order: the plan's, or where today's volume puts it. What
    follows the tape aims at all that is left: the participation is its only brake."""
    if registry.of(order.algorithm).follows_tape:
        return Aim(Target(order.quantity, order.quantity), None)
    if curve is None:
        return Aim(Target(part.planned_quantity, part.cumulative_quantity), None)
    target = retarget(
        quantity=order.quantity,
        share=curve.done,
        before=_before(order, part, curve),
        lot=order_parameters.lot(order),
    )
    facts = {
        "share": round(curve.done, 6),
        "profile": curve.profile,
        "minutes_seen": curve.minutes,
        **({} if curve.constants == USUAL else {"constants": asdict(curve.constants)}),
        "planned_before": part.cumulative_quantity,
    }
    return Aim(target, target.cumulative, {"dynamic": facts})


def _before(order: Order, part: Slice, curve: Curve) -> int:
    """What the slices before should have done: the last one's aim; after slices that had none, what
    the curve says now, so that what they missed is caught up smoothly."""
    plan = residual.schedule(order)
    earlier = order.slices.filter(
        sequence__gte=plan.first, sequence__lt=part.sequence, aimed_quantity__isnull=False
    )
    last = earlier.order_by("-sequence").values_list("sequence", "aimed_quantity").first()
    if last and last[0] == part.sequence - 1:
        return int(last[1] or 0)
    reached = plan.done if part.sequence == plan.first else int(curve.at_due * order.quantity)
    return max(reached, int(last[1] or 0) if last else 0)


def _curve(order: Order, part: Slice, context: Context, *, now: datetime) -> Curve | None:
    dynamic = registry.of(order.algorithm).dynamic and context.config.execution.vwap.dynamic
    if not dynamic or residual.final_policy(order, part):
        return None
    today = _today(order, context, now=now)
    if today is None:
        return None  # the plan stands
    plan = residual.schedule(order)

    def share(until: datetime) -> float:
        part_of_plan = dynamic_target(
            today.profile, today.session, start=plan.start, end=plan.end, until=until, **today.known
        )
        return plan.share(part_of_plan, order.quantity)

    after = _following(order, part)
    done = share(aimed_at(part.due_at, after) if after else plan.end)
    seen = len(today.known["minutes"])
    return Curve(share(part.due_at), done, today.row, seen, today.known["constants"])


def _ahead(order: Order, part: Slice, context: Context, *, now: datetime) -> float:
    """Until the close, for the last slice of an order that goes by the tape until then."""
    if not registry.of(order.algorithm).follows_tape or residual.final_policy(order, part):
        return 0.0
    session = context.market.session(now)
    if session is None or session.always or order.end_at < session.close:
        return 0.0
    today = None if _following(order, part) else _today(order, context, now=now)
    if today is None:
        return 0.0
    return volume_ahead(
        today.profile, session, since=order.start_at, until=session.close, **today.known
    )


def _following(order: Order, part: Slice) -> datetime | None:
    """When the next slice is due; None for the last one."""
    following = order.slices.filter(sequence=part.sequence + 1)
    return following.values_list("due_at", flat=True).first()


class _Volumes(TypedDict):
    """As the functions of `domain.volume_forecast` take them."""

    minutes: Sequence[int]
    minutes_from: datetime
    daily_volume: float | None
    today: float | None
    constants: Constants


@dataclass(frozen=True, slots=True)
class _Today:
    """The session as it is known so far, and by which stored profile."""

    session: Session
    profile: Profile
    row: int
    known: _Volumes


def _today(order: Order, context: Context, *, now: datetime) -> _Today | None:
    """None where nothing was learned of the symbol, or its tape is not known."""
    session = context.market.session(now)
    if session is None or session.always:
        return None
    try:
        known = volume_profiles.of_order(order.routing.get("profile") or {}, session)
        if known is None or known.row is None:
            return None
        bars = context.market.bars(order.symbol, session.open, now)
    except (VolumeProfile.DoesNotExist, MarketDataUnavailable):
        return None
    usual, today = known.volumes_of(session, order.average_daily_volume)
    volumes = _Volumes(
        minutes=believed(minute_volumes(bars, session, now=now)),
        minutes_from=session.open,
        daily_volume=usual,
        today=today,
        constants=volume_profiles.forecast_constants(context.config),
    )
    return _Today(session, known.profile, known.row, volumes)


def _traded(order: Order, context: Context, *, now: datetime) -> float | None:
    """Since the order's start; of a bar that began before it, the part that lies inside."""
    try:
        bars = context.market.bars(order.symbol, order.start_at - MINUTE, now)
    except MarketDataUnavailable:
        return None
    return volume_since(bars, order.start_at)


def budget(order: Order, tape: Tape, pace: Pace) -> Budget:
    """Of a locked order, under the lock of its symbol and side: whoever claims at the same moment
    sees what this claim takes."""
    lock_participation(order.symbol, order.side)
    alike = {"order__symbol": order.symbol, "order__side": order.side}
    filled = Fill.objects.filter(**alike, executed_at__gte=order.start_at).exclude(order=order)
    used = order.filled_quantity + working(Slice.objects.filter(**alike))
    used += filled.aggregate(n=Coalesce(Sum("quantity"), 0))["n"]
    return Budget(pace, tape.traded, used, order_parameters.lot(order), tape.ahead)
