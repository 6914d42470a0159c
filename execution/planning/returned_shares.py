"""Shares that were only held back return to the plan: a halt or a pause had their child cancelled,
or what a slice needs to know stayed unknown until its own end."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.db.models import Max, Q

from deepstack.database.unit_of_work import save
from execution.domain.algorithms import registry
from execution.domain.algorithms.base import PlannedSlice
from execution.domain.event_kinds import EventKind
from execution.domain.holds import UNSENT, Hold, is_refused
from execution.domain.lifecycle import ORDER_SENDING, SliceStatus
from execution.domain.residual import SHORTEST
from execution.market import clock
from execution.models import Order, Slice
from execution.orders.journal import record_event
from execution.planning import residual, slice_rows

log = structlog.get_logger(__name__)

KEY = "returned"
PAUSE = timedelta(seconds=1)  # of real time, until what came back may leave
MOST_DOUBLINGS = 5  # of the pause, where requests get lost again and again

_HELD = Q(status=SliceStatus.CANCELLED, reason__regex=rf"^({'|'.join(Hold)})\y") | Q(
    status=SliceStatus.SKIPPED, reason__regex=rf"^({'|'.join(sorted(UNSENT))})\y"
)


def to_plan(order: Order, *, at: datetime) -> bool:
    """Plan anew what is left of a locked order whose slices have all ended; False if none of it was
    merely held back, or if the present part of its window has no time left.

    In the transaction that confirms the last child's end: its shares either work or are planned.
    While a halt lasts, the new slices wait like any other.
    """
    if order.status not in ORDER_SENDING:
        return False
    first = order.routing.get(KEY, {}).get("first", 0)
    ended = order.slices.filter(sequence__gte=first)
    last = ended.order_by("-sequence").first()
    if last is None or is_refused(last.status, last.reason) or not ended.filter(_HELD).exists():
        return False
    plan = _plan(order, last, at=at)
    if plan:
        _store(order, plan, at=at)
    return bool(plan)


def _plan(order: Order, last: Slice, *, at: datetime) -> Sequence[PlannedSlice]:
    start, end = at + _pause(order), _end(order, last)
    rest = order.quantity - order.filled_quantity
    if end - start < SHORTEST or rest <= 0:
        return ()
    try:
        return slice_rows.evenly(order, rest, start, end, slices=_slices(order, last, end - start))
    except ValueError as error:
        log.warning("shares cannot be planned again", order=order.pk, error=str(error))
        return ()


def _pause(order: Order) -> timedelta:
    lost = order.slices.filter(status=SliceStatus.SKIPPED, reason__startswith="NEVER_ARRIVED")
    return PAUSE * clock.speed() * 2.0 ** min(lost.count(), MOST_DOUBLINGS)


def _end(order: Order, last: Slice) -> datetime:
    """Of the stage in which the residual is being worked, else of the schedule."""
    if residual.final_policy(order, last) is None:
        return min(residual.schedule(order).end, order.end_at)
    stage = order.slices.filter(sequence__gte=order.routing[residual.KEY]["final_from"])
    end: datetime = stage.aggregate(at=Max("end_at"))["at"]
    return min(end, order.end_at)


def _slices(order: Order, last: Slice, time: timedelta) -> int:
    """As long as those of the schedule; one of what is worked in one child."""
    over_time = registry.of(order.algorithm).over_time
    if not over_time or residual.final_policy(order, last) is not None:
        return 1
    plan = residual.schedule(order)
    before: int = order.routing.get(KEY, {}).get("before", order.slice_count)
    usual = (plan.end - plan.start) / max(before - plan.first, 1)
    return max(round(time / usual), 1)


def _store(order: Order, plan: Sequence[PlannedSlice], *, at: datetime) -> None:
    first, done = order.slice_count, order.filled_quantity
    Slice.objects.bulk_create(
        slice_rows.rows(order, plan, first=first, done=done), batch_size=2_000
    )
    before = order.routing.get(KEY, {}).get("before", first)
    order.routing[KEY] = {"first": first, "before": before}
    order.slice_count = first + len(plan)
    save(order, "routing", "slice_count")
    facts = {
        "shares": order.quantity - done,
        "first_new_slice": first,
        "slices": order.slice_count,
        "start_at": plan[0].due_at.isoformat(),
        "until": plan[-1].end_at.isoformat(),
    }
    record_event(order, EventKind.SHARES_RETURNED, facts, at=at)
