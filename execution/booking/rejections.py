"""Children that the broker refuses, or ends unasked: recorded with its own words and counted,
however they arrive; too many in a row pause the order."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from execution.context import Context
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import ORDER_SENDING, SLICE_AT_BROKER, OrderStatus, SliceStatus
from execution.domain.unexecuted import BROKER_CANCELLED, code_of
from execution.market import clock
from execution.models import Order, OrderEvent, Slice
from execution.orders.journal import move_order, record_event

MOST_LOOKED_AT = 100  # slices, from the latest back
# An end so shortly before the slice's own is that end, by another clock.
SLACK = timedelta(seconds=1)
_ENDED_WELL = (SliceStatus.FILLED, SliceStatus.CANCELLED, SliceStatus.EXPIRED)


def is_unasked(part: Slice, status: str, *, at: datetime) -> bool:
    """Whether the broker ends a child, as `status` says, that nobody has asked it to end."""
    ours = part.status == SliceStatus.CANCELLING or part.status not in SLICE_AT_BROKER
    early = at < part.end_at - SLACK * clock.speed()
    return status in (SliceStatus.CANCELLED, SliceStatus.EXPIRED) and early and not ours


def unasked(said: str) -> str:
    """The reason of a child that the broker ended unasked, with what it `said`."""
    return f"{BROKER_CANCELLED}: {said}".removesuffix(": ")


def note(order: Order, part: Slice, reason: str, *, at: datetime) -> None:
    """Record a refused child. `reason`: the broker's code and words."""
    code, _, text = reason.partition(": ")
    facts = {"slice": part.sequence, "code": code, "text": text}
    record_event(order, EventKind.BROKER_REJECTED, facts, at=at, part=part)


def pause_after_too_many(order: Order, part: Slice, context: Context, *, at: datetime) -> None:
    """After `part` ended at the broker: pause its locked order when too many ended so in a row."""
    if order.status not in ORDER_SENDING or not _counts(part):
        return
    run = _in_a_row(order)
    if run >= context.config.execution.scheduling.max_permanent_rejects:
        reason = f"{run} permanent rejects in a row, the last {part.reason}"
        move_order(order, OrderStatus.PAUSED, at=at, reason=reason)


def _in_a_row(order: Order) -> int:
    """From the latest back, to the last time that the order was resumed. What has not ended yet, or
    never reached the broker, says nothing; what has filled, or ended as we asked, was accepted."""
    sent = order.slices.filter(attempt__gt=0).order_by("-sequence")
    resumed = order.events.filter(kind=EventKind.ORDER_STATUS, data__from=OrderStatus.PAUSED)
    if (last := resumed.order_by("-pk").first()) is not None:
        ends = OrderEvent.objects.filter(kind=EventKind.SLICE_STATUS, pk__gt=last.pk)
        sent = sent.filter(Exists(ends.filter(slice=OuterRef("pk"))))
    run = 0
    for each in sent.only("status", "reason", "filled_quantity")[:MOST_LOOKED_AT]:
        if _counts(each):
            run += 1
        elif each.filled_quantity or each.status in _ENDED_WELL:
            break
    return run


def _counts(part: Slice) -> bool:
    refused = part.status == SliceStatus.REJECTED
    ended = part.status in _ENDED_WELL and code_of(part.reason) == BROKER_CANCELLED
    return (refused or ended) and not part.filled_quantity
