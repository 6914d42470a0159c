"""An order's row: stored whole or not at all, and ended when its last child is terminal."""

from datetime import datetime

from deepstack.database.prepared_query import Param, Prepared
from deepstack.database.unit_of_work import save
from execution.booking import unexecuted
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import (
    ORDER_LIVE,
    ORDER_TRANSITIONS,
    SLICE_CLAIMABLE,
    SLICE_TERMINAL,
    OrderStatus,
    SliceStatus,
    end_of,
)
from execution.domain.unexecuted import WINDOW_OVER, sentence
from execution.models import Order, Slice
from execution.orders.journal import move_order, move_slices, record_event
from execution.orders.locks import locked
from execution.planning import residual, returned_shares

_WITH_RESIDUAL = (OrderStatus.EXPIRED, OrderStatus.REJECTED)


_ALIVE = Prepared[tuple[int]](
    lambda: (
        Slice.objects.filter(order=Param("order", 0))
        .exclude(status__in=sorted(SLICE_TERMINAL))
        .values_list("pk")[:1]
    )
)


def finish_if_done(order: Order, *, at: datetime, part: Slice | None = None) -> None:
    """Let a locked order none of whose slices can do anything any more go on with what was only
    held back, or as was decided about its residual when it was accepted, or end. `part`: a slice
    as `slice_of` has read it."""
    if order.is_terminal or (part is not None and _lives(part)):
        return
    if _ALIVE.first(order=order.pk) is not None:
        return
    if order.status == OrderStatus.PAUSED and at < order.end_at:
        return  # a person may still amend it
    after = _end(order)
    if after in _WITH_RESIDUAL and (
        returned_shares.to_plan(order, at=at) or residual.carry_on(order, at=at)
    ):
        return
    move_order(order, after, at=at, reason=_why_left(order, at=at))


def _end(order: Order) -> OrderStatus:
    sent = order.slices.filter(attempt__gt=0)
    return end_of(
        quantity=order.quantity,
        filled=order.filled_quantity,
        refused_all=sent.exists() and not sent.exclude(status=SliceStatus.REJECTED).exists(),
        cancelled=order.status == OrderStatus.CANCELLING,
    )


def explain_end(order: Order, *, at: datetime) -> None:
    """The broker gave its reason for the end of a child after the locked order had ended."""
    if order.status not in (OrderStatus.EXPIRED, OrderStatus.REJECTED):
        return
    after, reason = _end(order), _why_left(order, at=order.finished_at or at)
    if after != order.status and after in ORDER_TRANSITIONS[OrderStatus(order.status)]:
        move_order(order, after, at=at, reason=reason)
    elif reason[:300] != order.status_reason:
        order.status_reason = reason[:300]
        save(order, "status_reason")
        record_event(order, EventKind.ORDER_REASON, {"reason": reason}, at=at)


def _why_left(order: Order, *, at: datetime) -> str:
    """Why the order ends with a rest; empty where it has all its shares."""
    left = order.quantity - order.filled_quantity
    if left <= 0:
        return ""
    cancelled = order.status_reason if order.status == OrderStatus.CANCELLING else ""
    cause = unexecuted.dominating(order, at=at, cancelled=cancelled)
    return sentence(left, order.quantity, cause)


def _lives(part: Slice) -> bool:
    return not part.is_terminal or others_live(part)


def others_live(part: Slice) -> bool:
    """Of the order of a slice as `slice_of` has read it."""
    live: bool = part.others_live  # type: ignore[attr-defined]  # annotated
    return live


def expire(order_id: int, *, at: datetime) -> None:
    """The window is over: nothing that was planned may leave, and when its children have ended the
    order ends or goes on with its residual."""
    with locked(order_id) as order:
        if order.is_terminal or at < order.end_at:
            return
        _drop_waiting(order, at=at)
        finish_if_done(order, at=at)


def drop_unsent(order: Order, status: SliceStatus, *, at: datetime, reason: str) -> None:
    """Take every slice that has not left out of a locked order."""
    unsent = list(order.slices.filter(status__in=SLICE_CLAIMABLE).order_by("sequence"))
    if unsent:
        move_slices(order, unsent, status, at=at, reason=reason)


def _drop_waiting(order: Order, *, at: datetime) -> None:
    """At the end of a locked order's window; each slice keeps the reason for which it waited."""
    unsent = order.slices.filter(status__in=SLICE_CLAIMABLE).order_by("sequence")
    reasons = dict.fromkeys(part.reason for part in unsent)
    for why in reasons:
        parts = [part for part in unsent if part.reason == why]
        reason = f"{WINDOW_OVER}: {why}" if why else WINDOW_OVER
        move_slices(order, parts, SliceStatus.SKIPPED, at=at, reason=reason)


def overdue(now: datetime) -> list[int]:
    """Live orders whose window is over."""
    return list(
        Order.objects.filter(status__in=ORDER_LIVE, end_at__lte=now).values_list("pk", flat=True)
    )
