"""The append-only audit trail of an order, written in the transaction that changes it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from deepstack.database.unit_of_work import insert, save
from deepstack.observability.tracing import tracing
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import (
    SliceStatus,
    check_order,
    check_slice,
)
from execution.models import Order, OrderEvent, Slice
from execution.orders import caller, order_trace
from execution.orders.event_log import log_events

_MOVED = ("status", "reason", "finished_at", "check_at_real", "broker_order_id")


def event(
    order: Order,
    kind: EventKind,
    data: Mapping[str, Any],
    *,
    at: datetime,
    part: Slice | None = None,
) -> OrderEvent:
    """An unsaved event; Decimals are written as text, exactly."""
    plain = {
        key: f"{value:f}" if isinstance(value, Decimal) else value for key, value in data.items()
    }
    return OrderEvent(order=order, slice=part, kind=kind, data=plain, at=at)


def record_event(
    order: Order,
    kind: EventKind,
    data: Mapping[str, Any],
    *,
    at: datetime,
    part: Slice | None = None,
) -> None:
    events = [event(order, kind, data, at=at, part=part)]
    insert(events)
    log_when_committed(events)


def log_when_committed(events: Sequence[OrderEvent]) -> None:
    """A line of the log for each event that stays, and its span: none for what was rolled back."""
    began = tracing.now()

    def committed() -> None:
        log_events(events)
        order_trace.recorded(events, began=began)

    transaction.on_commit(committed, robust=True)


def move_order(
    order: Order,
    status: str,
    *,
    at: datetime,
    reason: str = "",
    also: Iterable[str] = (),
    by: str = "",
) -> None:
    """Take a locked order to another status and record it; raises IllegalTransition.

    `also` names further columns that were changed and belong into the same statement, `by` the
    person who asked.
    """
    check_order(order.status, status)
    before, order.status, order.status_reason = order.status, status, reason[:300]
    changed = ["status", "status_reason", *also]
    if order.is_terminal:
        order.finished_at = order.finished_at or at
        changed.append("finished_at")
    save(order, *changed)
    facts = {"from": before, "to": status, "reason": reason}
    if by:
        facts |= {"by": by, "via": caller.current().via}
    record_event(order, EventKind.ORDER_STATUS, facts, at=at)


def move_slice(part: Slice, status: str, *, at: datetime, reason: str = "", **changes: Any) -> None:
    """Take a slice of a locked order to another status, with other columns, and record it."""
    check_slice(part.status, status)
    before = part.status
    part.status, part.reason = status, reason[:300]
    if part.is_terminal:
        part.finished_at = part.finished_at or at
        part.check_at_real = None
    for name, value in changes.items():
        setattr(part, name, value)
    save(part, *dict.fromkeys((*_MOVED, *changes)))
    record_event(
        part.order,
        EventKind.SLICE_STATUS,
        {"slice": part.sequence, "from": before, "to": status, "reason": reason},
        at=at,
        part=part,
    )


def move_slices(
    order: Order, parts: Sequence[Slice], status: SliceStatus, *, at: datetime, reason: str
) -> None:
    """Take many slices of a locked order to one terminal status, with one event for all."""
    for part in parts:
        check_slice(part.status, status)
    Slice.objects.filter(pk__in=[part.pk for part in parts]).update(
        status=status, reason=reason[:300], finished_at=at, check_at_real=None
    )
    sequences = [part.sequence for part in parts]
    record_event(
        order,
        EventKind.SLICES_CHANGED,
        {"slices": sequences, "to": status, "reason": reason},
        at=at,
    )


def first_event(order: Order, kind: EventKind, data: dict[str, object]) -> OrderEvent:
    """An event of the order's first moment."""
    return event(order, kind, data, at=order.created_at)
