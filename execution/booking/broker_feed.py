"""What the broker reports of an account since its last execution that was seen."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from execution.booking.execution_reports import take_over_all
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


# News are asked for anew from shortly before the last question, and from long before once in a
# while: what the broker tells up to LATE - SELDOM after its moment is heard.
OVERLAP = timedelta(seconds=1)


LATE = timedelta(seconds=7.5)


SELDOM = timedelta(seconds=2.5)


LONG_UNHEARD = timedelta(seconds=15)


def hear(account: str, context: Context) -> int:
    """Take over the broker's news of one account since they were last heard; how many orders."""
    if forget_foreign(account, context):
        return 0
    try:
        return len(catch_up(account, context))
    except TooSoon:
        return 0
    except BrokerError as error:
        log.warning("no news from the broker", error=str(error))
        return 0


def catch_up(
    account: str, context: Context, since: datetime | None = None
) -> Sequence[BrokerOrder]:
    """The broker's news of one account, taken over; since they were last heard, or since an
    earlier moment. Raises what the broker raises, and then nothing is taken for heard."""
    now = context.now()
    cursor, _ = BrokerCursor.objects.get_or_create(
        broker=context.broker.name,
        account=account,
        defaults={"heard_until": now - timedelta(days=1)},
    )
    heard = unheard_since(cursor.heard_until, now, speed=clock.speed())
    news = context.broker.news(account, min(heard, since or heard), now=now)
    if take_over_all(news, context):
        BrokerCursor.objects.filter(pk=cursor.pk, heard_until__lt=now).update(heard_until=now)
    return news


def unheard_since(heard_until: datetime, now: datetime, *, speed: float) -> datetime:
    """From when on news are asked for; `speed`: trading seconds per real second."""
    seldom = SELDOM * speed
    first_since_long = (now - EPOCH) // seldom != (heard_until - EPOCH) // seldom
    return heard_until - (LATE if first_since_long else OVERLAP) * speed


def unheard(account: str, context: Context) -> bool:
    """Whether the last news are so old that whoever should hear them must be frozen."""
    old = context.now() - LONG_UNHEARD * clock.speed()
    cursors = BrokerCursor.objects.filter(broker=context.broker.name, account=account)
    return cursors.filter(heard_until__lt=old).exists()


def just_heard(account: str, context: Context) -> bool:
    """Whether the news were heard within half the time in which they are asked for once."""
    now, every = context.now(), context.config.execution.scheduling.news_seconds
    recent = now - timedelta(seconds=every / 2 * clock.speed())
    cursors = BrokerCursor.objects.filter(broker=context.broker.name, account=account)
    # Not what a process has noted whose clock is ahead of ours.
    return cursors.filter(heard_until__gt=recent, heard_until__lte=now).exists()
