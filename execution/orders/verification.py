"""Whether the rows of every order agree, read while the service runs; nothing is written."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from execution.domain.order_record import (
    EventRow,
    Executed,
    OrderRecord,
    SliceRow,
    disagreements,
)
from execution.models import Fill, Order, OrderEvent, Slice

# Orders that are held in memory at a time, with all their rows.
BATCH = 50


@dataclass(frozen=True, slots=True)
class Disagreement:
    order: int
    words: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What was found in some orders; `last` is the highest id of them."""

    orders: int
    last: int
    found: list[Disagreement]


def batches(*, after: int = 0) -> Iterator[Batch]:
    """Every order with an id above `after`, by id, whose rows are not archived.

    Each batch is one snapshot: orders that trade meanwhile are seen whole, before a change or
    after it. Not to be called inside a transaction.
    """
    while True:
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            ids = _next_ids(after)
            found = list(check(ids))
        if not ids:
            return
        after = ids[-1]
        yield Batch(len(ids), after, found)


def _next_ids(after: int) -> list[int]:
    here = Order.objects.filter(pk__gt=after, archived__isnull=True).order_by("pk")
    return list(here.values_list("pk", flat=True)[:BATCH])


def check(ids: Sequence[int]) -> Iterator[Disagreement]:
    slices, fills, events = _slices(ids), _fills(ids), _events(ids)
    for order in Order.objects.filter(pk__in=ids).order_by("pk"):
        record = OrderRecord(
            quantity=order.quantity,
            status=order.status,
            filled=order.filled_quantity,
            notional=order.filled_notional,
            commission=order.commission,
            slices=slices[order.pk],
            fills=fills[order.pk],
            events=events[order.pk],
        )
        for words in disagreements(record):
            yield Disagreement(order.pk, words)


def _slices(ids: Iterable[int]) -> dict[int, dict[int, SliceRow]]:
    found: dict[int, dict[int, SliceRow]] = {each: {} for each in ids}
    rows = Slice.objects.filter(order__in=ids).values_list(
        "order_id", "sequence", "status", "quantity", "filled_quantity"
    )
    for order, sequence, status, quantity, filled in rows:
        found[order][sequence] = SliceRow(status, quantity or 0, filled)
    return found


def _fills(ids: Iterable[int]) -> dict[int, dict[tuple[int, str], Executed]]:
    found: dict[int, dict[tuple[int, str], Executed]] = {each: {} for each in ids}
    rows = Fill.objects.filter(order__in=ids).values_list(
        "order_id", "slice__sequence", "execution_id", "quantity", "price", "commission"
    )
    for order, sequence, execution, quantity, price, commission in rows:
        found[order][sequence, execution] = Executed(quantity, price, commission)
    return found


def _events(ids: Iterable[int]) -> dict[int, list[EventRow]]:
    found: dict[int, list[EventRow]] = {each: [] for each in ids}
    rows = OrderEvent.objects.filter(order__in=ids).order_by("id")
    for order, *row in rows.values_list("order_id", "id", "kind", "data"):
        found[order].append(EventRow(*row))
    return found
