"""Publishes ETA tasks on Redis. A task may be lost or delivered twice; the row decides."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from celery import current_app
from django.db import connection
from django.db.models import F

from deepstack.database.prepared_query import IsAny, Param, Prepared
from deepstack.observability.tracing import tracing
from execution.domain.lifecycle import SLICE_CLAIMABLE, SliceStatus
from execution.market import clock
from execution.models import Slice
from execution.orders import order_trace
from execution.orders.order_trace import QueuedSlice

SEND = "execution.tasks.send_slice"
RESOLVE = "execution.tasks.resolve_slice"
CLOSE = "execution.tasks.close_slice"
POLL = "execution.tasks.poll_executions"
# Trading time. A task is due a little before its slice is: what leaves at its moment has been
# sized, checked and stored by then.
AHEAD = timedelta(milliseconds=80)

_QUEUED = Prepared[QueuedSlice](
    lambda: Slice.objects.filter(IsAny(F("pk"), Param("ids", [0]))).values_list(
        "pk", "sequence", "due_at", "order_id", "order__seed", "order__side", "order__symbol"
    )
)
# Skips what somebody is changing now, as `locks.free_rows` does. By the database's clock: what was
# noted ahead of it would not be enqueued again until then.
_NOTE = """
UPDATE execution_slice SET status = %s, enqueued_at_real = clock_timestamp()
WHERE id IN (SELECT part.id FROM execution_slice AS part
             JOIN unnest(%s::bigint[], %s::timestamptz[]) AS noted (id, due_at)
             ON noted.id = part.id AND noted.due_at = part.due_at
             WHERE part.status = ANY(%s) FOR UPDATE OF part SKIP LOCKED)
"""


def enqueue_due(slices: Sequence[tuple[int, datetime]]) -> None:
    """Publish one ETA task for each (slice id, due in trading time), then note that it rang.

    Published first and noted second: when Redis fails in between, nothing claims that a task is
    on its way. The note is conditional, because a worker may already have claimed the slice, or
    deferred it: then the task was for another moment, and it is enqueued again.
    """
    began, queued = tracing.now(), _QUEUED.all(ids=[slice_id for slice_id, _ in slices])
    named = _named(queued)
    with current_app.producer_or_acquire() as producer, producer.batch():
        for slice_id, due_at in slices:
            current_app.send_task(
                SEND,
                args=[slice_id],
                argsrepr=named.get(slice_id),
                eta=clock.real_time_of(due_at - AHEAD),
                producer=producer,
            )
    order_trace.enqueued(queued, began=began)
    ids, moments = zip(*slices, strict=True) if slices else ((), ())
    with connection.cursor() as cursor:
        claimable = sorted(SLICE_CLAIMABLE)
        cursor.execute(_NOTE, [SliceStatus.QUEUED, list(ids), list(moments), claimable])


def enqueue(task: str, slice_ids: Iterable[int]) -> None:
    """Publish one immediate task for each slice."""
    ids = list(slice_ids)
    named = _named(_QUEUED.all(ids=ids))
    with current_app.producer_or_acquire() as producer, producer.batch():
        for slice_id in ids:
            name = named.get(slice_id)
            current_app.send_task(task, args=[slice_id], argsrepr=name, producer=producer)


def _named(queued: Iterable[QueuedSlice]) -> dict[int, str]:
    """What Flower and the workers' logs show in place of a bare number."""
    return {
        pk: f"(slice {pk}: {number} of order {order} {side} {symbol})"
        for pk, number, _, order, _, side, symbol in queued
    }


def horizon_end(now: datetime, seconds: float) -> datetime:
    """Slices due before this are published; `seconds` are of real time."""
    return now + timedelta(seconds=seconds * clock.speed())


def poll_brokers(accounts: Iterable[str]) -> None:
    for account in accounts:
        current_app.send_task(POLL, args=[account])
