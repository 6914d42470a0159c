"""What a person or a strategy may do to a live order: each idempotent, one implementation for
the API, the admin, the command line and Python."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from execution import task_queue
from execution.access import desks
from execution.booking.completion import drop_unsent, finish_if_done
from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import (
    ORDER_SENDING,
    SLICE_AT_BROKER,
    OrderStatus,
    SliceStatus,
)
from execution.models import Order
from execution.orders import caller
from execution.orders.journal import move_order, record_event
from execution.orders.locks import locked


class NotAllowed(Exception):
    """The order's status does not allow this; nothing was changed."""


def cancel(order_id: int, *, by: str, now: datetime, reason: str = "") -> Order:
    """No child leaves after this commits. CANCELLING until every child is terminal.

    Cancelling an order that is cancelled, or is being cancelled, changes nothing. Raises
    NotAllowed for one that has ended otherwise, or Order.DoesNotExist.
    """
    with locked(order_id) as order:
        desks.require_order(order)
        if order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED):
            return order
        if order.is_terminal:
            raise NotAllowed(f"order {order.pk} is {order.status}; nothing is left to cancel")
        facts = {"by": by, "via": caller.current().via, "reason": reason}
        record_event(order, EventKind.CANCEL_REQUESTED, facts, at=now)
        move_order(order, OrderStatus.CANCELLING, at=now, reason=reason or f"cancelled by {by}")
        drop_unsent(order, SliceStatus.CANCELLED, at=now, reason="the order was cancelled")
        finish_if_done(order, at=now)
        enqueue_cancels(order)
    return order


def pause(
    order_id: int, *, by: str, now: datetime, reason: str = "", not_before: datetime | None = None
) -> Order:
    """No child leaves until the order is resumed; those at the broker are cancelled, and their
    shares leave again after the resume. Nobody resumes it before `not_before`, in real time.

    Raises NotAllowed for an order that has ended or is being cancelled.
    """
    with locked(order_id) as order:
        desks.require_order(order)
        if order.status == OrderStatus.PAUSED:
            _hold_until(order, not_before)
            return order
        if order.status not in ORDER_SENDING:
            raise NotAllowed(f"order {order.pk} is {order.status}; only a live one can be paused")
        _hold_until(order, not_before)
        move_order(order, OrderStatus.PAUSED, at=now, reason=reason or f"paused by {by}", by=by)
        enqueue_cancels(order)
    return order


def _hold_until(order: Order, wanted: datetime | None) -> None:
    """Of two cool-downs the later one counts."""
    if wanted is not None:
        order.not_before_real = max(order.not_before_real or wanted, wanted)
        order.save(update_fields=["not_before_real"])


def resume(order_id: int, *, by: str, now: datetime, reason: str = "") -> Order:
    """Let a paused order go on; what it missed is caught up smoothly.

    Raises NotAllowed unless the order is paused and no cool-down lasts, or already goes on.
    """
    with locked(order_id) as order:
        desks.require_order(order)
        if order.status in ORDER_SENDING:
            return order
        if order.status != OrderStatus.PAUSED:
            raise NotAllowed(f"order {order.pk} is {order.status}; only a paused one can resume")
        held = order.not_before_real
        if held is not None and held > timezone.now():
            raise NotAllowed(
                f"order {order.pk} is PAUSED: {order.status_reason}. Its cool-down ends at"
                f" {exchange_time(held)}; it cannot be resumed before"
            )
        sent = order.slices.filter(attempt__gt=0).exists()
        after = OrderStatus.WORKING if sent else OrderStatus.ACCEPTED
        move_order(order, after, at=now, reason=reason or f"resumed by {by}", by=by)
        finish_if_done(order, at=now)
    return order


def enqueue_cancels(order: Order, which: Q | None = None) -> None:
    """The dispatch loop finds what a lost task leaves working."""
    children = order.slices.filter(which or Q(), status=SliceStatus.WORKING)
    working = list(children.values_list("pk", flat=True))
    if working:
        transaction.on_commit(lambda: task_queue.enqueue(task_queue.CLOSE, working), robust=True)


def unconfirmed(order: Order) -> int:
    """Children that the broker may still execute."""
    return order.slices.filter(status__in=SLICE_AT_BROKER).count()
