"""Rings for slices through Redis. A bell may be lost or heard twice; the row decides."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from celery import current_app
from django.db import transaction
from django.utils import timezone

from execution.domain.lifecycle import SLICE_CLAIMABLE, SliceStatus
from execution.locks import free_rows
from execution.market import clock
from execution.models import Slice

SEND = "execution.tasks.send_slice"
RESOLVE = "execution.tasks.resolve_slice"
CLOSE = "execution.tasks.close_slice"
NEWS = "execution.tasks.hear_broker"
# Trading time. A bell rings a little before its slice is due: what leaves at its moment has been
# sized, checked and stored by then.
AHEAD = timedelta(milliseconds=80)


def ring_due(slices: Sequence[tuple[int, datetime]]) -> None:
    """Publish one ETA task for each (slice id, due in trading time), then note that it rang.

    Published first and noted second: when Redis fails in between, nothing claims that a bell is
    on its way. The note is conditional, because a worker may already have claimed the slice.
    """
    with current_app.producer_or_acquire() as producer, producer.batch():
        for slice_id, due_at in slices:
            current_app.send_task(
                SEND, args=[slice_id], eta=clock.wall_of(due_at - AHEAD), producer=producer
            )
    rung = Slice.objects.filter(
        pk__in=[slice_id for slice_id, _ in slices], status__in=SLICE_CLAIMABLE
    )
    with transaction.atomic():
        free_rows(rung).update(status=SliceStatus.QUEUED, enqueued_wall=timezone.now())


def ring(task: str, slice_ids: Iterable[int]) -> None:
    """Publish one immediate task for each slice."""
    with current_app.producer_or_acquire() as producer, producer.batch():
        for slice_id in slice_ids:
            current_app.send_task(task, args=[slice_id], producer=producer)


def horizon_end(now: datetime, seconds: float) -> datetime:
    """Slices due before this are published; `seconds` are of the wall clock."""
    return now + timedelta(seconds=seconds * clock.speed())


def ask_for_news(accounts: Iterable[str]) -> None:
    for account in accounts:
        current_app.send_task(NEWS, args=[account], expires=5)
