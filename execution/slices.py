"""A slice leaves: claimed once, sized with fresh facts, its intent stored, then sent.

The claim and the intent are one commit. Before it nothing has happened and the bell rings again;
after it the broker may have the order, and only the broker is asked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import structlog
from django.db import Error, transaction
from django.db.models import F
from django.utils import timezone

from execution import marks, orders, outcomes, pacing, risk
from execution.broker.base import Ticket
from execution.child import Child, NotNow, decide, retry_pause
from execution.desk import Desk
from execution.domain.checks import Denial
from execution.domain.lifecycle import (
    ORDER_SENDING,
    SLICE_CLAIMABLE,
    OrderStatus,
    SliceStatus,
)
from execution.exposure import Moment, working_beside
from execution.locks import in_flight, locked, sole_sender
from execution.market import clock
from execution.market.base import Quote
from execution.models import Order, Slice
from execution.outcomes import NotSent
from execution.pacing import Look
from execution.risk import Priced
from execution.story import move_order, move_slice, tell

log = structlog.get_logger(__name__)

# A bell may ring this much early by the clocks of two processes.
EARLY = timedelta(milliseconds=50)
CLAIM_LOST = NotSent("CLAIM_LOST", retry=True)
UNSEEN = Look()


@dataclass(frozen=True, slots=True)
class Intent:
    """A claimed slice whose order to the broker is committed; the token fences every result.

    `again`: an earlier request with the same id may have left, so that only the broker's own word
    about the id ends the question.
    """

    slice_id: int
    order_id: int
    token: UUID
    ticket: Ticket
    again: bool = False


def send(slice_id: int, desk: Desk) -> None:
    """Send one slice if it is due, alive and nobody else's; harmless to call again at any time."""
    part = Slice.objects.select_related("order").filter(pk=slice_id).first()
    if part is None or part.status not in SLICE_CLAIMABLE:
        return
    structlog.contextvars.bind_contextvars(order_id=part.order_id, slice_id=part.pk)
    now = desk.now()
    if now < part.due_at - EARLY * clock.speed() or part.order.status not in ORDER_SENDING:
        return
    # Asked before the transaction: a source of quotes may be a network away.
    quote = desk.market.quote(part.order.symbol, now)
    seen = pacing.look(part, desk, now=now)
    intent = claim(part, quote, desk, now=now, seen=seen)
    if intent is not None:
        deliver(intent, desk)


def claim(
    part: Slice, quote: Quote | None, desk: Desk, *, now: datetime, seen: Look = UNSEEN
) -> Intent | None:
    """Claim the slice and commit its intent; None when there is nothing to send."""
    with locked(part.order_id) as order:
        part = order.slices.get(pk=part.pk)
        if part.status not in SLICE_CLAIMABLE or order.status not in ORDER_SENDING:
            return None
        aim = pacing.aim(order, part, seen.curve)
        part.aimed_quantity = aim.aimed
        decision = decide(order, part, quote, desk, aim=aim, seen=seen, now=now)
        if isinstance(decision, NotNow):
            _stay(order, part, decision, desk, now=now)
            return None
        intent = _commit_intent(order, part, decision, desk, now=now)
        if intent is not None and order.status == OrderStatus.ACCEPTED:
            move_order(order, OrderStatus.WORKING, at=now)
        return intent


def _stay(order: Order, part: Slice, why: NotNow, desk: Desk, *, now: datetime) -> None:
    until = why.until or now + retry_pause(desk)
    part.explanation = why.explanation
    part.save(update_fields=["explanation", "aimed_quantity"])
    if why.passing and until < part.end_at:
        defer(order, part, until=until, reason=why.reason, at=now)
    else:
        move_slice(part, SliceStatus.SKIPPED, at=now, reason=why.reason)
        orders.finish_if_done(order, at=now)


def defer(order: Order, part: Slice, *, until: datetime, reason: str, at: datetime) -> None:
    """Due again at `until`, which must lie before the slice's end."""
    if part.status == SliceStatus.PLANNED:
        part.due_at, part.enqueued_wall, part.reason = until, None, reason[:300]
        part.save(update_fields=["due_at", "enqueued_wall", "reason"])
        tell(order, "SLICE_DEFERRED", {"slice": part.sequence, "reason": reason}, at=at, part=part)
        return
    move_slice(part, SliceStatus.PLANNED, at=at, reason=reason, due_at=until, enqueued_wall=None)


def _commit_intent(
    order: Order, part: Slice, child: Child, desk: Desk, *, now: datetime
) -> Intent | None:
    scheduling = desk.config.execution.scheduling
    wall = timezone.now()
    lease = wall + timedelta(seconds=scheduling.lease_seconds)
    life = timedelta(seconds=scheduling.min_life_seconds) * clock.speed()
    token = uuid4()
    rows = Slice.objects.filter(pk=part.pk, status__in=SLICE_CLAIMABLE).update(
        status=SliceStatus.SENDING,
        reason="",
        claim_token=token,
        attempt=F("attempt") + 1,
        lease_until_wall=lease,
        check_wall=lease,
        end_at=min(order.end_at, max(part.end_at, now + life)),
        quantity=child.quantity,
        limit_price=child.limit_price,
        reference_price=child.reference_price,
        broker=desk.broker.name,
        sent_at=now,
        lateness_ms=(wall - clock.wall_of(part.due_at)).total_seconds() * 1000,
        explanation=child.explanation,
        aimed_quantity=part.aimed_quantity,
    )
    if not rows:
        return None  # another worker got there first
    tell(
        order,
        "SLICE_SENDING",
        {
            "slice": part.sequence,
            "client_order_id": part.client_order_id,
            "quantity": child.quantity,
            "limit_price": child.limit_price,
            "attempt": part.attempt + 1,
            **child.explanation,
        },
        at=now,
        part=part,
    )
    ticket = _ticket(order, part.client_order_id, child.quantity, child.limit_price, desk, now=now)
    return Intent(part.pk, order.pk, token, ticket)


def _ticket(
    order: Order,
    client_order_id: str,
    quantity: int,
    limit_price: Decimal,
    desk: Desk,
    *,
    now: datetime,
) -> Ticket:
    session = desk.market.session(now)
    return Ticket(
        client_order_id=client_order_id,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        limit_price=limit_price,
        extended_hours=session is not None and not session.is_regular(now),
    )


def deliver(intent: Intent, desk: Desk) -> None:
    """The last look, the broker call with no transaction open, and the fenced record of both."""
    try:
        with sole_sender(intent.slice_id) as alone, in_flight():
            outcome: outcomes.Outcome | None = last_look(intent, desk) if alone else CLAIM_LOST
            if outcome is None:
                outcome = outcomes.of(desk.broker.place, intent.ticket, now=desk.now())
    except Error as error:
        # Only the locks and the look can raise this; the broker's answer is never an exception.
        outcome = NotSent(f"the last look failed: {error}".strip(), retry=True)
    if intent.again and isinstance(outcome, NotSent):
        outcome = outcomes.Ambiguous(outcome.reason, retry_after=outcome.retry_after)
    outcomes.record(intent.order_id, intent.slice_id, intent.token, outcome, desk)


def last_look(intent: Intent, desk: Desk) -> NotSent | None:
    """Why this claim may not be sent after all, read at the last moment; None when it may."""
    part = (
        Slice.objects.select_related("order")
        .filter(pk=intent.slice_id, claim_token=intent.token, status=SliceStatus.SENDING)
        .first()
    )
    if part is None or part.lease_until_wall is None or part.lease_until_wall <= timezone.now():
        return CLAIM_LOST
    if part.order.status not in ORDER_SENDING:
        return NotSent(f"ORDER_{part.order.status}")
    denial = _resend_denial(part, desk) if intent.again else risk.last_denial(part, desk)
    return None if denial is None else NotSent(str(denial), retry=True)


def _resend_denial(part: Slice, desk: Desk) -> Denial | None:
    """All limits anew: the intent may have been stored long ago."""
    order, now = part.order, desk.now()
    moment = Moment(
        order,
        part.quantity or 0,
        marks.read(order.account, order.symbol, desk, wanted=marks.asked(desk), now=now),
        now,
        working=working_beside(part),
    )
    with transaction.atomic():
        return risk.resend_denial(moment, Priced(part.limit_price, part.limit_price, None), desk)


def send_again(order_id: int, slice_id: int, desk: Desk) -> None:
    """Send the stored intent once more under its own id, after the broker's definite "never
    arrived". The broker refuses the id should the first request still come through."""
    now = desk.now()
    with locked(order_id) as order:
        part = order.slices.get(pk=slice_id)
        if part.status not in (SliceStatus.SENDING, SliceStatus.UNKNOWN):
            return
        if part.quantity is None or part.limit_price is None:
            return
        lease = timezone.now() + timedelta(seconds=desk.config.execution.scheduling.lease_seconds)
        token = uuid4()
        fresh = {
            "claim_token": token,
            "attempt": part.attempt + 1,
            "lease_until_wall": lease,
            "check_wall": lease,
        }
        if part.status == SliceStatus.UNKNOWN:
            move_slice(part, SliceStatus.SENDING, at=now, reason="never arrived", **fresh)
        else:
            Slice.objects.filter(pk=part.pk).update(**fresh)
        tell(order, "SLICE_SENDING_AGAIN", {"slice": part.sequence}, at=now, part=part)
        ticket = _ticket(
            order, part.client_order_id, part.quantity, part.limit_price, desk, now=now
        )
    deliver(Intent(slice_id, order_id, token, ticket, again=True), desk)
