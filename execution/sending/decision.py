"""What a due slice sends: its size, limit and reasons, or why nothing leaves now."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max
from django.utils import timezone

from execution.context import Context
from execution.domain.algorithms import registry
from execution.domain.child_sizing import ChildReason, next_child
from execution.domain.event_kinds import EventKind
from execution.domain.limit_prices import (
    is_good,
    marketable_limit,
    protective_limit,
    round_away,
    stricter,
)
from execution.domain.residual import Policy
from execution.domain.risk_checks import CHILD_CHECKS, PASSING, Denial
from execution.domain.unexecuted import WINDOW_OVER
from execution.market import clock
from execution.market.base import Quote
from execution.models import Order, OrderEvent, Slice
from execution.planning import order_parameters, participation, price_rounding, residual
from execution.risk import pretrade, value_check
from execution.risk.checked_order import CheckedOrder
from execution.risk.send_snapshot import Snapshot
from execution.sending import market_hours, targeting
from execution.sending.targeting import Aim, Tape

MINUTE = timedelta(minutes=1)
URGENT = (Policy.FORCE, Policy.CLOSE)


@dataclass(frozen=True, slots=True)
class Child:
    quantity: int
    limit_price: Decimal
    reference_price: Decimal
    explanation: dict[str, object]


@dataclass(frozen=True, slots=True)
class NotNow:
    """Not sent. With `passing` it is tried again while the slice lasts; with `late` it lasts no
    longer."""

    reason: str
    explanation: dict[str, object]
    passing: bool = False
    until: datetime | None = None  # when to try again; by default after a moment
    late: bool = False


def decide(
    order: Order,
    part: Slice,
    quote: Quote | None,
    context: Context,
    *,
    aim: Aim,
    tape: Tape,
    working: int,
    snapshot: Snapshot,
    now: datetime,
) -> Child | NotNow:
    """`working` is W of the order."""
    over = _too_late(order, part, context, now=now)
    if over:
        facts: dict[str, object] = {"now": now.isoformat(), "due_at": part.due_at.isoformat()}
        return NotNow(over, facts, late=True)
    would = _would(order, quote)
    quantity, why = _size(order, part, aim, working, would)
    explanation: dict[str, object] = {
        "target": aim.target.cumulative,
        "planned": aim.target.planned,
        "filled": order.filled_quantity,
        "working": working,
        "size": why,
        **aim.explanation,
        **would.explanation,
        **_policy(order, part),
        **_native(order),
    }
    if quantity == 0:
        return NotNow(why, explanation)
    capped = _capped(order, part, quantity, explanation, tape, context, now=now)
    if isinstance(capped, NotNow):
        return capped
    quantity = capped
    early = _too_soon(order, part, explanation, context, now=now)
    if early is not None:
        return early
    if (closed := market_hours.closed(order, context.market, now=now)) is not None:
        return NotNow(str(closed), explanation, passing=True)
    limit = _limit(order, part, quote, context, would) if quote else None
    explanation |= _quoted(quote)
    checked = CheckedOrder(
        order, quantity, tape.marks, now, working=working, whole=value_check.whole(order)
    )
    denial = pretrade.child_denial(
        checked, value_check.priced(order, limit, quote), context, snapshot
    )
    if denial is not None:
        return NotNow(str(denial), explanation, passing=denial.code in PASSING)
    if quote is None or limit is None:
        return NotNow(str(Denial("QUOTE_MISSING")), explanation, passing=True)
    explanation |= {
        "checks": [check.__name__ for check in CHILD_CHECKS],
        "limit": f"{limit:f}",
        **price_rounding.of_child(order, limit),
    }
    value_check.passed(order, at=now)
    return Child(quantity, limit, quote.mid, explanation)


def _size(
    order: Order, part: Slice, aim: Aim, working: int, would: "WouldPrice"
) -> tuple[int, ChildReason]:
    return next_child(
        quantity=order.quantity,
        filled=order.filled_quantity,
        working=working,
        planned=aim.target.planned,
        cumulative=aim.target.cumulative,
        slices_left=order.slice_count - part.sequence,
        lot=order_parameters.lot(order),
        min_slice=order_parameters.least(order),
        max_slice=order_parameters.most(order),
        good_price=would.good,
    )


def _capped(
    order: Order,
    part: Slice,
    wanted: int,
    explanation: dict[str, object],
    tape: Tape,
    context: Context,
    *,
    now: datetime,
) -> int | NotNow:
    """As much of the child as the participation cap allows.

    A child that would lose more than half waits for the tape's next minute while the slice lasts.
    """
    pace = participation.pace(order, part, context.config.execution)
    if pace is None:
        return wanted
    budget = targeting.budget(order, tape, pace)
    explanation["participation"] = budget.facts() | {"wanted": wanted}
    allowed = _in_lots(order, min(budget.allowed, wanted), wanted)
    pause = retry_pause(context)
    until = max(now + pause, now.replace(second=0, microsecond=0) + MINUTE + pause)
    if allowed and (
        allowed * 2 >= wanted or registry.of(order.algorithm).follows_tape or until >= part.end_at
    ):
        return allowed
    denial = Denial("PARTICIPATION_CAP", {"cap": pace.share, "allowed": allowed, "wanted": wanted})
    if tape.traded is None:
        denial = Denial("VOLUME_UNKNOWN", {"symbol": order.symbol})
    return NotNow(str(denial), explanation, passing=True, until=until)


def _in_lots(order: Order, allowed: int, wanted: int) -> int:
    """What is cut down is whole lots, and not less than the smallest slice."""
    if allowed == wanted:
        return wanted
    whole = allowed // order_parameters.lot(order) * order_parameters.lot(order)
    return whole if whole >= order_parameters.least(order) else 0


def retry_pause(context: Context) -> timedelta:
    return timedelta(seconds=context.config.execution.scheduling.defer_seconds) * clock.speed()


def _too_late(order: Order, part: Slice, context: Context, *, now: datetime) -> str:
    if now >= order.end_at:
        return WINDOW_OVER
    grace = timedelta(seconds=context.config.execution.scheduling.missed_grace_seconds)
    if now > max(part.end_at, part.due_at + grace * clock.speed()):
        # The rest of the plan catches up smoothly; what was missed is not sent in a burst.
        return "MISSED"
    return ""


def _too_soon(
    order: Order, part: Slice, explanation: dict[str, object], context: Context, *, now: datetime
) -> NotNow | None:
    """Slices that were missed do not leave in a burst: those for which no gap is left before their
    end are given up, and caught up by the ones that follow."""
    if part.attempt and _sent_too_often(order, context):
        return NotNow("MESSAGE_RATE", explanation, passing=True)
    gap = timedelta(seconds=context.config.execution.scheduling.min_gap_seconds) * clock.speed()
    if not gap:
        return None
    last = order.slices.exclude(pk=part.pk).aggregate(at=Max("sent_at"))["at"]
    if last is None or last + gap <= now:
        return None
    return NotNow("MIN_GAP", explanation, passing=True, until=last + gap)


def _sent_too_often(order: Order, context: Context) -> bool:
    """Only retries can run away: the first sends are bounded by the plan."""
    recent = OrderEvent.objects.filter(
        order=order,
        kind=EventKind.SLICE_SENDING,
        recorded_at_real__gt=timezone.now() - timedelta(minutes=1),
    ).count()
    return recent >= context.config.execution.scheduling.max_sends_per_minute


@dataclass(frozen=True, slots=True)
class WouldPrice:
    """`price`: at the far touch or better, all that is left is taken. None: not asked for."""

    price: Decimal | None = None
    good: bool = False
    explanation: dict[str, object] = field(default_factory=dict)


def _would(order: Order, quote: Quote | None) -> WouldPrice:
    price = order.would_price
    if price is None:
        return WouldPrice()
    far = _far_touch(order, quote) if quote else None
    good = far is not None and is_good(side_sign=order.side_sign, far_touch=far, would_price=price)
    facts = {"price": f"{price:f}", "far_touch": None if far is None else f"{far:f}", "good": good}
    return WouldPrice(price, good, {"would": facts})


def _policy(order: Order, part: Slice) -> dict[str, object]:
    policy = residual.final_policy(order, part)
    return {"residual": str(policy)} if policy else {}


def _native(order: Order) -> dict[str, object]:
    name = order_parameters.native(order)
    return {"native": name} if name else {}


def _far_touch(order: Order, quote: Quote) -> Decimal:
    return quote.ask if order.side_sign > 0 else quote.bid


def _limit(order: Order, part: Slice, quote: Quote, context: Context, would: WouldPrice) -> Decimal:
    policy = residual.final_policy(order, part)
    if order_parameters.native(order):
        return protective_limit(
            side_sign=order.side_sign,
            reference=quote.mid,
            collar=context.config.limits.price_collar,
            parent_limit=order.limit_price,
        )
    if registry.of(order.algorithm).rests and policy is None:
        return _patient_limit(order, quote)
    routing = context.config.execution.routing
    urgent = registry.of(order.algorithm).urgent or policy in URGENT
    return marketable_limit(
        side_sign=order.side_sign,
        far_touch=_far_touch(order, quote),
        tolerance_bps=routing.urgent_tolerance_bps if urgent else routing.child_tolerance_bps,
        reference=quote.mid,
        collar=context.config.limits.price_collar,
        # What is added because the price is good is not paid for at a worse one.
        parent_limit=stricter(
            order.side_sign, order.limit_price, would.price if would.good else None
        ),
    )


def _patient_limit(order: Order, quote: Quote) -> Decimal:
    """The order's own limit; where it will cross the spread later, its own side of the book unless
    the limit is more patient still. On the grid, whatever the limit and the book say."""
    near = quote.bid if order.side_sign > 0 else quote.ask
    limit = order.limit_price
    if limit is None or order_parameters.is_passive_first(order):
        limit = stricter(order.side_sign, near, limit) or near
    return round_away(limit, order.side_sign)


def _quoted(quote: Quote | None) -> dict[str, object]:
    if quote is None:
        return {"quote": None}
    return {"quote": {"bid": f"{quote.bid:f}", "ask": f"{quote.ask:f}", "at": quote.at.isoformat()}}
