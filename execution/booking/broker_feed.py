"""What the broker reports of an account since its last execution that was seen."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from execution import heartbeat
from execution.booking.execution_reports import book_reports
from execution.broker.base import (
    BrokerError,
    BrokerOrder,
    TooSoon,
)
from execution.context import Context
from execution.market import clock
from execution.models import BrokerCursor
from execution.risk.accounts import forget_foreign

log = structlog.get_logger(__name__)

EPOCH = datetime.fromtimestamp(0, UTC)


# Each poll begins shortly before the last one, and once in a while long before it: what the broker
# reports up to LATE - SELDOM after its moment is still booked.
OVERLAP = timedelta(seconds=1)


LATE = timedelta(seconds=7.5)


SELDOM = timedelta(seconds=2.5)


OVERDUE_AFTER = timedelta(seconds=15)


def poll(account: str, context: Context) -> int:
    """Book what the broker reports of one account since the last poll; how many orders."""
    if forget_foreign(account, context):
        return 0
    try:
        return len(catch_up(account, context))
    except TooSoon:
        return 0
    except BrokerError as error:
        log.warning("the broker did not answer the poll", error=str(error))
        return 0


def catch_up(
    account: str, context: Context, since: datetime | None = None
) -> Sequence[BrokerOrder]:
    """Book the broker's reports on one account since the last poll, or since an earlier moment, and
    return them. Raises what the broker raises, and then the cursor stays."""
    # By the clock that all share: what is noted ahead of it, nobody would ask for any more.
    now = context.now() - timedelta(seconds=heartbeat.clock_ahead()) * clock.speed()
    cursor, _ = BrokerCursor.objects.get_or_create(
        broker=context.broker.name,
        account=account,
        defaults={"heard_until": now - timedelta(days=1)},
    )
    start = poll_from(cursor.heard_until, now, speed=clock.speed())
    reports = context.broker.reports(account, min(start, since or start), now=now)
    if book_reports(reports, context):
        BrokerCursor.objects.filter(pk=cursor.pk, heard_until__lt=now).update(heard_until=now)
    return reports


def poll_from(heard_until: datetime, now: datetime, *, speed: float) -> datetime:
    """From when on reports are asked for; `speed`: trading seconds per real second."""
    seldom = SELDOM * speed
    first_since_long = (now - EPOCH) // seldom != (heard_until - EPOCH) // seldom
    return heard_until - (LATE if first_since_long else OVERLAP) * speed


def is_overdue(account: str, context: Context) -> bool:
    """Whether the last poll is so old that the process which should make it must be frozen."""
    old = context.now() - OVERDUE_AFTER * clock.speed()
    cursors = BrokerCursor.objects.filter(broker=context.broker.name, account=account)
    return cursors.filter(heard_until__lt=old).exists()


def just_polled(account: str, context: Context) -> bool:
    """Whether the last poll is younger than half the time between two."""
    now, every = context.now(), context.config.execution.scheduling.poll_seconds
    recent = now - timedelta(seconds=every / 2 * clock.speed())
    cursors = BrokerCursor.objects.filter(broker=context.broker.name, account=account)
    # Not what a process has noted whose clock is ahead of ours.
    return cursors.filter(heard_until__gt=recent, heard_until__lte=now).exists()
