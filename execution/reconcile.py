"""What the broker says is taken over; what nobody knows is asked, never guessed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import structlog
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone

from execution import halts, holds, outcomes, slices
from execution.accounts import forget_foreign
from execution.broker.base import (
    BrokerError,
    BrokerOrder,
    BrokerRejected,
    Execution,
    ExecutionKey,
    TooSoon,
)
from execution.desk import Desk
from execution.domain.lifecycle import (
    ORDER_SENDING,
    SLICE_TERMINAL,
    IllegalTransition,
    SliceStatus,
)
from execution.locks import locked, slice_of, sole_sender
from execution.market import clock
from execution.models import BrokerCursor, Fill, Order, Slice
from execution.outcomes import NotSent
from execution.prepared import IsAny, Param, Prepared
from execution.story import move_slice, tell

log = structlog.get_logger(__name__)

EPOCH = datetime.fromtimestamp(0, UTC)
SETTLING = timedelta(seconds=1)
# News are asked for anew from shortly before the last question, and from long before once in a
# while: what the broker tells up to LATE - SELDOM after its moment is heard.
OVERLAP = timedelta(seconds=1)
LATE = timedelta(seconds=7.5)
SELDOM = timedelta(seconds=2.5)
LOST_PAUSE = timedelta(seconds=30)
NEVER_ARRIVED = NotSent("NEVER_ARRIVED", retry=True)
LONG_UNHEARD = timedelta(seconds=15)
# Most news are known: the outcome of the send has told the same.
_TOLD = Prepared[tuple[str, int, int, str, int, str]](
    lambda: Slice.objects.filter(IsAny(F("client_order_id"), Param("ids", [""]))).values_list(
        "client_order_id", "pk", "order_id", "status", "filled_quantity", "reason"
    )
)
_Booked = tuple[int, int, Decimal, Decimal | None]  # revision, quantity, price, commission
_BOOKED = Prepared[tuple[str, str, int, int, Decimal, Decimal | None]](
    lambda: Fill.objects.filter(
        IsAny(F("execution_id"), Param("ids", [""])), broker=Param("broker", "")
    ).values_list("account", "execution_id", "revision", "quantity", "price", "commission")
)


def resolve(slice_id: int, desk: Desk) -> None:
    """Settle a slice of which nobody knows what became, by asking the broker for its id."""
    part = Slice.objects.filter(pk=slice_id).first()
    if part is None or not _is_open_question(part):
        return
    structlog.contextvars.bind_contextvars(order_id=part.order_id, slice_id=part.pk)
    # Held from before the question until its consequences are written: no request can leave, or
    # wake up and leave, in between.
    with sole_sender(part.pk) as alone:
        try:
            seen = desk.broker.find(part.client_order_id, now=desk.now())
        except BrokerError as error:
            _still_unknown(part, str(error), desk)
            if part.status == SliceStatus.CANCELLING:
                _cancel(part, desk)  # what holds up a look-up need not hold up a cancel
            return
        if seen is None:
            _not_found(part, desk, alone=alone)
            return
    take_over(part, seen, desk, asked=True)
    if part.status == SliceStatus.CANCELLING and seen.status == SliceStatus.WORKING:
        _cancel(part, desk)  # the first request was lost, or is slow: repeating it is harmless


def _is_open_question(part: Slice) -> bool:
    if part.status == SliceStatus.SENDING:
        return _lease_over(part)
    return part.status in (SliceStatus.UNKNOWN, SliceStatus.CANCELLING, SliceStatus.WORKING)


def _lease_over(part: Slice) -> bool:
    return part.lease_until_wall is not None and part.lease_until_wall <= timezone.now()


def take_over(part: Slice, seen: BrokerOrder, desk: Desk, *, asked: bool = False) -> None:
    """Book what the broker reports of one child, of its own accord or because it was `asked`; a
    child that works there although we have ended it is cancelled there."""
    with locked(part.order_id) as order:
        at = desk.now()
        part = slice_of(order, part.pk)
        outcomes.apply(order, part, seen, desk, asked=asked, at=at)
        stray = part.status in SLICE_TERMINAL and seen.status == SliceStatus.WORKING
    if stray:
        _cancel(part, desk)


def _still_unknown(part: Slice, why: str, desk: Desk) -> None:
    """It keeps counting as working; after some questions a person is told."""
    with locked(part.order_id) as order:
        at = desk.now()
        part = slice_of(order, part.pk)
        if not _is_open_question(part):
            return
        if part.status == SliceStatus.SENDING:
            move_slice(part, SliceStatus.UNKNOWN, at=at, reason=why)
        outcomes.ask_later(part, why, at=at)


def _not_found(part: Slice, desk: Desk, *, alone: bool) -> None:
    proven = alone and desk.broker.never_arrived(part.client_order_id)
    with locked(part.order_id) as order:
        at = desk.now()
        part = slice_of(order, part.pk)
        if not _is_open_question(part):
            return
        if part.status in (SliceStatus.CANCELLING, SliceStatus.WORKING):
            _lost_at_broker(order, part, at=at)
            return
        wanted = order.status in ORDER_SENDING and at < part.end_at and not halts.in_force(order)
        if not alone:
            outcomes.ask_later(part, "its sender lives and has not finished", at=at)
            return
        # The same id may be sent again at a second "not found": the broker takes it only once.
        # To give its shares back to the plan, no request may be on its way any more.
        absent = proven or _lease_over(part)
        if not absent and not (wanted and part.checks):
            outcomes.ask_later(part, "not found", at=at)
            return
        if not wanted:
            outcomes.not_sent(order, part, NEVER_ARRIVED, at=at)
            return
        claim = part.claim_token
    slices.send_again(part.order_id, part.pk, desk, after=claim, absent=absent)


def _lost_at_broker(order: Order, part: Slice, *, at: datetime) -> None:
    """Acknowledged once and gone now: not a case to be guessed at."""
    part.check_wall = timezone.now() + LOST_PAUSE
    part.save(update_fields=["check_wall"])
    tell(order, "LOST_AT_BROKER", {"slice": part.sequence}, at=at, part=part)


def close(slice_id: int, desk: Desk) -> None:
    """`ask_to_cancel`, and then how the child stands."""
    part = ask_to_cancel(slice_id, desk)
    if part is None:
        return
    try:
        seen = desk.broker.find(part.client_order_id, now=desk.now())
    except BrokerError as error:
        log.warning("cancel not confirmed, asked again later", error=str(error))
        return
    if seen is not None:
        take_over(part, seen, desk, asked=True)


def ask_to_cancel(slice_id: int, desk: Desk) -> Slice | None:
    """Ask the broker to cancel what is left of a child; None where there is no reason to now. Only
    the broker's confirmation ends the child, and a cancel that gets none is `resolve`'s."""
    part = Slice.objects.filter(pk=slice_id).first()
    if part is None or part.status != SliceStatus.WORKING:
        return None
    structlog.contextvars.bind_contextvars(order_id=part.order_id, slice_id=part.pk)
    with locked(part.order_id) as order:
        at = desk.now()
        part = slice_of(order, slice_id)
        why = holds.why_cancelled(order, part, at=at)
        if part.status != SliceStatus.WORKING or why is None:
            return None  # trading may have resumed before the bell was heard
        asked = {"check_wall": timezone.now() + SETTLING, "checks": 0}
        move_slice(part, SliceStatus.CANCELLING, at=at, reason=why, **asked)
    _cancel(part, desk)
    return part


def _cancel(part: Slice, desk: Desk) -> None:
    try:
        desk.broker.cancel(part.client_order_id, now=desk.now())
    except BrokerRejected as error:
        # Too late to cancel, most often because it filled; the look-up that follows tells.
        log.info("cancel refused", code=error.code, text=error.text)
    except BrokerError as error:
        log.warning("cancel not confirmed, asked again later", error=str(error))


def hear(account: str, desk: Desk) -> int:
    """Take over the broker's news of one account since they were last heard; how many orders."""
    if forget_foreign(account, desk):
        return 0
    try:
        return len(catch_up(account, desk))
    except TooSoon:
        return 0
    except BrokerError as error:
        log.warning("no news from the broker", error=str(error))
        return 0


def catch_up(account: str, desk: Desk, since: datetime | None = None) -> Sequence[BrokerOrder]:
    """The broker's news of one account, taken over; since they were last heard, or since an
    earlier moment. Raises what the broker raises, and then nothing is taken for heard."""
    now = desk.now()
    cursor, _ = BrokerCursor.objects.get_or_create(
        broker=desk.broker.name,
        account=account,
        defaults={"heard_until": now - timedelta(days=1)},
    )
    heard = unheard_since(cursor.heard_until, now, speed=clock.speed())
    news = desk.broker.news(account, min(heard, since or heard), now=now)
    if take_over_all(news, desk):
        BrokerCursor.objects.filter(pk=cursor.pk, heard_until__lt=now).update(heard_until=now)
    return news


def unheard_since(heard_until: datetime, now: datetime, *, speed: float) -> datetime:
    """From when on news are asked for; `speed`: seconds of trading time in one of the wall's."""
    seldom = SELDOM * speed
    first_since_long = (now - EPOCH) // seldom != (heard_until - EPOCH) // seldom
    return heard_until - (LATE if first_since_long else OVERLAP) * speed


def take_over_all(news: Sequence[BrokerOrder], desk: Desk) -> bool:
    """Book what the broker reports of many children, where it is news; False if any cannot be."""
    parts = {row[0]: row for row in _TOLD.all(ids=[seen.client_order_id for seen in news])}
    executions = [execution.execution_id for seen in news for execution in seen.executions]
    fills = _BOOKED.all(ids=executions, broker=desk.broker.name) if executions else []
    booked: dict[ExecutionKey, _Booked] = {(row[0], row[1]): row[2:] for row in fills}
    taken = [
        try_take_over(Slice(pk=row[1], order_id=row[2]), seen, desk)
        for seen in news
        if (row := parts.get(seen.client_order_id)) and _differs(row[3:], seen, booked)
    ]
    return all(taken)


def unheard(account: str, desk: Desk) -> bool:
    """Whether the last news are so old that whoever should hear them must be frozen."""
    old = desk.now() - LONG_UNHEARD * clock.speed()
    cursors = BrokerCursor.objects.filter(broker=desk.broker.name, account=account)
    return cursors.filter(heard_until__lt=old).exists()


def just_heard(account: str, desk: Desk) -> bool:
    """Whether the news were heard within half the time in which they are asked for once."""
    now, every = desk.now(), desk.config.execution.scheduling.news_seconds
    recent = now - timedelta(seconds=every / 2 * clock.speed())
    cursors = BrokerCursor.objects.filter(broker=desk.broker.name, account=account)
    # Not what a process has noted whose clock is ahead of ours.
    return cursors.filter(heard_until__gt=recent, heard_until__lte=now).exists()


def try_take_over(part: Slice, seen: BrokerOrder, desk: Desk) -> bool:
    """One order's impossible news must not keep those of all others from being booked; the cursor
    stays, so that they are told again and again until a person looks. Whether they were booked."""
    try:
        take_over(part, seen, desk)
    except (IllegalTransition, IntegrityError):
        log.exception("news that cannot be", client_order_id=seen.client_order_id, seen=str(seen))
        return False
    return True


def _differs(
    known: tuple[str, int, str], seen: BrokerOrder, booked: Mapping[ExecutionKey, _Booked]
) -> bool:
    """`known`: status, filled quantity and reason of our slice."""
    if known[:2] != (seen.status, seen.filled_quantity):
        return True
    if seen.reason[: outcomes.REASON_KNOWN_BY] not in known[2]:
        return True
    return any(_is_news(execution, booked.get(execution.key)) for execution in seen.executions)


def _is_news(execution: Execution, booked: _Booked | None) -> bool:
    if booked is None:
        return True
    revision, quantity, price, commission = booked
    if revision < execution.revision or execution.commission not in (None, commission):
        return True
    same = (quantity, price) == (execution.quantity, execution.price)
    return revision == execution.revision and not same
