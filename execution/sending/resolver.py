"""Settles unknown outcomes by asking the broker, never by guessing; cancels working children."""

from datetime import datetime, timedelta

import structlog
from django.utils import timezone

from deepstack.observability.tracing import tracing
from execution.booking import execution_reports
from execution.booking.execution_reports import book_report, cancel_child
from execution.broker.base import BrokerError, BrokerOrder
from execution.context import Context
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import (
    ORDER_SENDING,
    SliceStatus,
)
from execution.models import Order, Slice
from execution.orders import order_trace
from execution.orders.journal import move_slice, record_event
from execution.orders.locks import locked, slice_of, sole_sender
from execution.risk import holds, kill_switch
from execution.sending import delivery, outcomes
from execution.sending.outcomes import NotSent

log = structlog.get_logger(__name__)


SETTLING = timedelta(seconds=1)


MISSING_PAUSE = timedelta(seconds=30)
WHILE_SENDER_LIVES = 5.0  # seconds at most until the broker is asked again


NEVER_ARRIVED = NotSent("NEVER_ARRIVED", retry=True)


def resolve(slice_id: int, context: Context) -> None:
    """Settle a slice of which nobody knows what became, by asking the broker for its id."""
    part = Slice.objects.select_related("order").filter(pk=slice_id).first()
    if part is None or not _is_open_question(part):
        return
    structlog.contextvars.bind_contextvars(order_id=part.order_id, slice_id=part.pk)
    # Held from before the question until its consequences are written: no request can leave, or
    # wake up and leave, in between.
    with sole_sender(part.pk) as alone:
        try:
            report = _found(part, context)
        except BrokerError as error:
            _still_unknown(part, str(error), context)
            if part.status == SliceStatus.CANCELLING:
                cancel_child(part, context)  # what holds up a look-up need not hold up a cancel
            return
        if report is None:
            _not_found(part, context, alone=alone)
            return
    book_report(part, report, context, asked=True)
    if part.status == SliceStatus.CANCELLING and report.status == SliceStatus.WORKING:
        cancel_child(
            part, context
        )  # the first request was lost, or is slow: repeating it is harmless


def _found(part: Slice, context: Context) -> BrokerOrder | None:
    """The child as the broker has it under our id. Raises BrokerError."""
    began, outcome = tracing.now(), "UNKNOWN"
    try:
        report = context.broker.find(part.client_order_id, now=context.now())
        outcome = report.status if report else "NOT_FOUND"
    finally:
        order_trace.asked_broker(
            part, "look up at broker", outcome, began=began, failed=outcome == "UNKNOWN"
        )
    return report


def _is_open_question(part: Slice) -> bool:
    if part.status == SliceStatus.SENDING:
        return _lease_over(part)
    return part.status in (SliceStatus.UNKNOWN, SliceStatus.CANCELLING, SliceStatus.WORKING)


def _lease_over(part: Slice) -> bool:
    return part.lease_until_real is not None and part.lease_until_real <= timezone.now()


def _still_unknown(part: Slice, why: str, context: Context) -> None:
    """It keeps counting as working; after some questions the order records it."""
    with locked(part.order_id) as order:
        at = context.now()
        part = slice_of(order, part.pk)
        if not _is_open_question(part):
            return
        if part.status == SliceStatus.SENDING:
            move_slice(part, SliceStatus.UNKNOWN, at=at, reason=why)
        execution_reports.ask_later(part, why, at=at)


def _not_found(part: Slice, context: Context, *, alone: bool) -> None:
    proven = alone and context.broker.never_arrived(part.client_order_id)
    with locked(part.order_id) as order:
        at = context.now()
        part = slice_of(order, part.pk)
        if not _is_open_question(part):
            return
        if part.status in (SliceStatus.CANCELLING, SliceStatus.WORKING):
            _missing_at_broker(order, part, at=at)
            return
        wanted = (
            order.status in ORDER_SENDING and at < part.end_at and not kill_switch.in_force(order)
        )
        if not alone:
            # Only for as long as another holds its lock is this answer worth nothing.
            execution_reports.ask_later(
                part, "its sender lives and has not finished", at=at, longest=WHILE_SENDER_LIVES
            )
            return
        # The same id may be sent again at a second "not found": the broker takes it only once.
        # To give its shares back to the plan, no request may be on its way any more.
        absent = proven or _lease_over(part)
        if not absent and not (wanted and part.checks):
            execution_reports.ask_later(part, "not found", at=at)
            return
        if not wanted:
            outcomes.not_sent(order, part, NEVER_ARRIVED, at=at)
            return
        claim = part.claim_token
    delivery.resend(part.order_id, part.pk, context, after=claim, absent=absent)


def _missing_at_broker(order: Order, part: Slice, *, at: datetime) -> None:
    """Acknowledged once and gone now: not a case to be guessed at."""
    part.check_at_real = timezone.now() + MISSING_PAUSE
    part.save(update_fields=["check_at_real"])
    record_event(order, EventKind.MISSING_AT_BROKER, {"slice": part.sequence}, at=at, part=part)


def close(slice_id: int, context: Context) -> None:
    """`ask_to_cancel`, and then how the child stands."""
    part = ask_to_cancel(slice_id, context)
    if part is None:
        return
    try:
        report = _found(part, context)
    except BrokerError as error:
        log.warning("cancel not confirmed, asked again later", error=str(error))
        return
    if report is not None:
        book_report(part, report, context, asked=True)


def ask_to_cancel(slice_id: int, context: Context) -> Slice | None:
    """Ask the broker to cancel what is left of a child; None where there is no reason to now. Only
    the broker's confirmation ends the child, and a cancel that gets none is `resolve`'s."""
    part = Slice.objects.filter(pk=slice_id).first()
    if part is None or part.status != SliceStatus.WORKING:
        return None
    structlog.contextvars.bind_contextvars(order_id=part.order_id, slice_id=part.pk)
    with locked(part.order_id) as order:
        at = context.now()
        part = slice_of(order, slice_id)
        why = holds.why_cancelled(order, part, at=at)
        if part.status != SliceStatus.WORKING or why is None:
            return None  # trading may have resumed before the task was taken
        asked = {"check_at_real": timezone.now() + SETTLING, "checks": 0}
        move_slice(part, SliceStatus.CANCELLING, at=at, reason=why, **asked)
    cancel_child(part, context)
    return part
