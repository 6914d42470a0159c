"""What a due slice sends: its size, limit and reasons, or why nothing leaves now."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from execution import pacing, risk
from execution.desk import Desk
from execution.domain.checks import CHILD_CHECKS, PASSING, Denial
from execution.domain.lifecycle import SLICE_AT_BROKER
from execution.domain.plan import next_child
from execution.domain.pricing import marketable_limit
from execution.exposure import Moment
from execution.market import clock
from execution.market.base import Quote
from execution.models import Order, OrderEvent, Slice
from execution.pacing import Aim, Look
from execution.risk import Priced

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Child:
    quantity: int
    limit_price: Decimal
    reference_price: Decimal
    explanation: dict[str, object]


@dataclass(frozen=True, slots=True)
class NotNow:
    """Not sent. With `passing` it is tried again while the slice lasts."""

    reason: str
    explanation: dict[str, object]
    passing: bool = False
    until: datetime | None = None  # when to try again; by default after a moment


def decide(
    order: Order,
    part: Slice,
    quote: Quote | None,
    desk: Desk,
    *,
    aim: Aim,
    seen: Look,
    now: datetime,
) -> Child | NotNow:
    over = _too_late(order, part, desk, now=now)
    if over:
        return NotNow(over, {"now": now.isoformat(), "due_at": part.due_at.isoformat()})
    working = working_leaves(order)
    quantity, why = next_child(
        quantity=order.quantity,
        filled=order.filled_quantity,
        working=working,
        planned=aim.target.planned,
        cumulative=aim.target.cumulative,
        slices_left=order.slice_count - part.sequence,
    )
    explanation: dict[str, object] = {
        "target": aim.target.cumulative,
        "planned": aim.target.planned,
        "filled": order.filled_quantity,
        "working": working,
        "size": why,
        **aim.explanation,
    }
    if quantity == 0:
        return NotNow(why, explanation)
    capped = _capped(order, part, quantity, explanation, seen, desk, now=now)
    if isinstance(capped, NotNow):
        return capped
    quantity = capped
    hurried = _hurried(order, part, explanation, desk, now=now)
    if hurried is not None:
        return hurried
    limit = _limit(order, quote, desk) if quote else None
    explanation |= _quoted(quote)
    moment = Moment(order, quantity, seen.marks, now, working=working)
    denial = risk.child_denial(moment, Priced(limit, limit, quote), desk)
    if denial is not None:
        return NotNow(str(denial), explanation, passing=denial.code in PASSING)
    if quote is None or limit is None:
        return NotNow(str(Denial("QUOTE_MISSING")), explanation, passing=True)
    explanation |= {
        "checks": [check.__name__ for check in CHILD_CHECKS],
        "limit": f"{limit:f}",
    }
    return Child(quantity, limit, quote.mid, explanation)


def _capped(
    order: Order,
    part: Slice,
    wanted: int,
    explanation: dict[str, object],
    seen: Look,
    desk: Desk,
    *,
    now: datetime,
) -> int | NotNow:
    """As much of the child as the participation cap allows.

    A child that would lose more than half waits for the tape's next minute while the slice lasts.
    """
    cap = pacing.cap(order, desk.config.execution)
    if cap is None:
        return wanted
    budget = pacing.budget(order, seen.traded, cap)
    explanation["participation"] = budget.told() | {"wanted": wanted}
    allowed = min(budget.allowed, wanted)
    pause = retry_pause(desk)
    until = max(now + pause, now.replace(second=0, microsecond=0) + MINUTE + pause)
    if allowed and (allowed * 2 >= wanted or order.algorithm == "POV" or until >= part.end_at):
        return allowed
    denial = Denial("PARTICIPATION_CAP", {"cap": cap, "allowed": allowed, "wanted": wanted})
    if seen.traded is None:
        denial = Denial("VOLUME_UNKNOWN", {"symbol": order.symbol})
    return NotNow(str(denial), explanation, passing=True, until=until)


def retry_pause(desk: Desk) -> timedelta:
    return timedelta(seconds=desk.config.execution.scheduling.defer_seconds) * clock.speed()


def _too_late(order: Order, part: Slice, desk: Desk, *, now: datetime) -> str:
    if now >= order.end_at:
        return "WINDOW_OVER"
    grace = timedelta(seconds=desk.config.execution.scheduling.missed_grace_seconds)
    if now > max(part.end_at, part.due_at + grace * clock.speed()):
        # The rest of the plan catches up smoothly; what was missed is not sent in a burst.
        return "MISSED"
    return ""


def working_leaves(order: Order) -> int:
    """W: shares that the broker holds or may hold for this order."""
    leaves = Greatest(F("quantity") - F("filled_quantity"), 0)
    total: int = order.slices.filter(status__in=SLICE_AT_BROKER).aggregate(
        n=Coalesce(Sum(leaves), 0)
    )["n"]
    return total


def _hurried(
    order: Order, part: Slice, explanation: dict[str, object], desk: Desk, *, now: datetime
) -> NotNow | None:
    """Slices that were missed do not leave in a burst: those for which no gap is left before their
    end are given up, and caught up by the ones that follow."""
    if part.attempt and _sent_too_often(order, desk):
        return NotNow("MESSAGE_RATE", explanation, passing=True)
    gap = timedelta(seconds=desk.config.execution.scheduling.min_gap_seconds) * clock.speed()
    if not gap:
        return None
    last = order.slices.exclude(pk=part.pk).aggregate(at=Max("sent_at"))["at"]
    if last is None or last + gap <= now:
        return None
    return NotNow("MIN_GAP", explanation, passing=True, until=last + gap)


def _sent_too_often(order: Order, desk: Desk) -> bool:
    """Only retries can run away: the first sends are bounded by the plan."""
    recent = OrderEvent.objects.filter(
        order=order,
        kind="SLICE_SENDING",
        recorded_wall__gt=timezone.now() - timedelta(minutes=1),
    ).count()
    return recent >= desk.config.execution.scheduling.max_sends_per_minute


def _limit(order: Order, quote: Quote, desk: Desk) -> Decimal:
    if order.algorithm == "LIMIT" and order.limit_price is not None:
        return order.limit_price
    routing = desk.config.execution.routing
    urgent = order.algorithm == "MARKET"
    return marketable_limit(
        side_sign=order.side_sign,
        far_touch=quote.ask if order.side_sign > 0 else quote.bid,
        tolerance_bps=routing.urgent_tolerance_bps if urgent else routing.child_tolerance_bps,
        reference=quote.mid,
        collar=desk.config.limits.price_collar,
        parent_limit=order.limit_price,
    )


def _quoted(quote: Quote | None) -> dict[str, object]:
    if quote is None:
        return {"quote": None}
    return {"quote": {"bid": f"{quote.bid:f}", "ask": f"{quote.ask:f}", "at": quote.at.isoformat()}}
