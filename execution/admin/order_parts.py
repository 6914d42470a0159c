"""The slices, fills and events of one order as its page shows them: three tables, three queries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.safestring import SafeString

from execution.admin import base
from execution.domain.exchange_time import short_time
from execution.market import clock
from execution.models import Fill, Order, OrderEvent, Slice
from execution.orders import queries
from execution.orders.event_text import facts, headline

FIRST = 50  # rows of each; an order may have thousands
Column = tuple[str, Callable[[Any], object]]


@dataclass(frozen=True, slots=True)
class Table:
    """`more`: a link to all of them, where there are more than are shown."""

    name: str
    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[object]]
    more: SafeString | str


def tables(order: Order) -> list[Table]:
    now = clock.now()
    return [
        _table("slices", "Slices", Slice, queries.slices_of(order.pk), _slice_columns(now), order),
        _table("fills", "Fills", Fill, queries.fills_of(order.pk), _fill_columns(now), order),
        _table(
            "events",
            "Audit trail",
            OrderEvent,
            _events(order.pk),
            _event_columns(order, now),
            order,
        ),
    ]


def _table(
    name: str,
    title: str,
    model: type[Model],
    found: QuerySet[Any],
    columns: Sequence[Column],
    order: Order,
) -> Table:
    rows = list(found[: FIRST + 1])
    link = base.parts_link(model.__name__.lower(), order.pk, f"the first {FIRST}, show all")
    return Table(
        name,
        title,
        [header for header, _ in columns],
        [[shown(row) for _, shown in columns] for row in rows[:FIRST]],
        link if len(rows) > FIRST else "",
    )


def _events(order_id: int) -> QuerySet[OrderEvent]:
    return OrderEvent.objects.filter(order=order_id).order_by("pk")


def _slice_columns(now: datetime) -> Sequence[Column]:
    return (
        ("Status", lambda part: base.badge(part.status)),
        (
            "Filled",
            lambda part: base.bar(part.filled_quantity, part.quantity or part.planned_quantity),
        ),
        ("Slice", lambda part: part.sequence),
        ("Due", lambda part: short_time(part.due_at, now)),
        ("Limit", lambda part: base.price(part.limit_price)),
        ("Attempts", lambda part: part.attempt),
        ("Late by", _lateness),
        ("Reason", lambda part: part.reason),
    )


def _fill_columns(now: datetime) -> Sequence[Column]:
    return (
        ("Executed", lambda fill: short_time(fill.executed_at, now)),
        ("Shares", lambda fill: f"{fill.quantity:,}"),
        ("Price", lambda fill: base.price(fill.price)),
        ("Slice", lambda fill: fill.slice.sequence),
        ("Commission", lambda fill: base.dollars(fill.commission)),
        ("Execution id", lambda fill: fill.execution_id),
    )


def _event_columns(order: Order, now: datetime) -> Sequence[Column]:
    return (
        ("At", lambda event: short_time(event.at, now)),
        (
            "What",
            lambda event: base.folded(
                headline(event.kind, event.data, order.side), facts(event.kind, event.data)
            ),
        ),
    )


def _lateness(part: Slice) -> str:
    return base.NOTHING if part.lateness_ms is None else f"{part.lateness_ms:,.0f} ms"
