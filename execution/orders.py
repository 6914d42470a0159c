"""An order's row: stored whole or not at all, and ended when its last child is terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from django.db import IntegrityError, transaction

from execution import bells, holds, residual, returned, unexecuted
from execution.domain.lifecycle import (
    ORDER_LIVE,
    ORDER_TRANSITIONS,
    SLICE_CLAIMABLE,
    SLICE_TERMINAL,
    OrderStatus,
    SliceStatus,
    end_of,
)
from execution.domain.unexecuted import sentence
from execution.locks import locked
from execution.models import Order, OrderEvent, Slice
from execution.prepared import Param, Prepared
from execution.story import event, log_when_committed, move_order, move_slices, tell
from execution.writing import save


@dataclass(slots=True)
class Draft:
    """An order that is ready to be stored, with its slices and the events that tell its start."""

    order: Order
    slices: list[Slice] = field(default_factory=list)
    events: list[OrderEvent] = field(default_factory=list)


RUNG_AT_ONCE = 1_000
_WITH_RESIDUAL = (OrderStatus.EXPIRED, OrderStatus.REJECTED)
_ALIVE = Prepared[tuple[int]](
    lambda: (
        Slice.objects.filter(order=Param("order", 0))
        .exclude(status__in=sorted(SLICE_TERMINAL))
        .values_list("pk")[:1]
    )
)


class ReferenceTaken(Exception):
    """Another process stored an order under one of the references meanwhile; look it up."""


def store(drafts: Sequence[Draft], *, horizon_end: datetime) -> None:
    """Write all drafts in one transaction; on commit, ring for the slices due by the horizon.

    The caller waits for the first thousand bells only. The dispatch loop rings the others at its
    next tick, as it does for all of them should this process die first.
    """
    try:
        with transaction.atomic():
            Order.objects.bulk_create([draft.order for draft in drafts], batch_size=1_000)
            slices = [part for draft in drafts for part in draft.slices]
            Slice.objects.bulk_create(slices, batch_size=2_000)
            events = [told for draft in drafts for told in draft.events]
            OrderEvent.objects.bulk_create(events, batch_size=2_000)
            log_when_committed(events)
            due = [(part.pk, part.due_at) for part in slices if part.due_at <= horizon_end]
            if due:
                first = sorted(due, key=itemgetter(1))[:RUNG_AT_ONCE]
                transaction.on_commit(lambda: bells.ring_due(first), robust=True)
    except IntegrityError as error:
        if "order_reference_once" in str(error):
            raise ReferenceTaken from error
        raise


def existing(references: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str], Order]:
    """The stored orders under (account, client reference)."""
    wanted = {(account, reference) for account, reference in references if reference}
    rows = Order.objects.filter(
        client_reference__in={reference for _, reference in wanted},
        account__in={account for account, _ in wanted},
    )
    return {
        (row.account, row.client_reference): row
        for row in rows
        if row.client_reference and (row.account, row.client_reference) in wanted
    }


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
        returned.to_plan(order, at=at) or residual.carry_on(order, at=at)
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
        tell(order, "ORDER_REASON", {"reason": reason}, at=at)


def _why_left(order: Order, *, at: datetime) -> str:
    """Why the order ends with a rest; empty where it has all its shares."""
    left = order.quantity - order.filled_quantity
    if left <= 0:
        return ""
    cancelled = order.status_reason if order.status == OrderStatus.CANCELLING else ""
    cause = unexecuted.dominating(order, at=at, cancelled=cancelled)
    return sentence(left, order.quantity, cause)


def _lives(part: Slice) -> bool:
    return not part.is_terminal or part.others_live  # type: ignore[attr-defined]  # annotated


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
        reason = f"{holds.WINDOW_OVER}: {why}" if why else holds.WINDOW_OVER
        move_slices(order, parts, SliceStatus.SKIPPED, at=at, reason=reason)


def overdue(now: datetime) -> list[int]:
    """Live orders whose window is over."""
    return list(
        Order.objects.filter(status__in=ORDER_LIVE, end_at__lte=now).values_list("pk", flat=True)
    )


def told(order: Order, kind: str, data: dict[str, object]) -> OrderEvent:
    """An event of the order's first moment."""
    return event(order, kind, data, at=order.created_at)
