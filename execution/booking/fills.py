"""Executions become fills: once each, corrected in place, with every total derived from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from deepstack.database.prepared_query import IsAny, Param, Prepared, execute
from deepstack.database.unit_of_work import as_json, insertion, save
from execution.booking import completion
from execution.broker.base import Execution, ExecutionKey
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import ORDER_TERMINAL, SLICE_TERMINAL, OrderStatus, SliceStatus
from execution.models import Fill, Order, Slice
from execution.orders import locks
from execution.orders.journal import move_order, move_slice, record_event

ZERO = Decimal(0)
_KNOWN = Prepared[Fill](
    lambda: Fill.objects.filter(
        IsAny(F("execution_id"), Param("ids", [""])), broker=Param("broker", "")
    )
)
_Totals = tuple[int, int, Decimal, Decimal]
_TOTALS = Prepared[_Totals](
    lambda: (
        Fill.objects.filter(order=Param("order", 0))
        .values("order")
        .annotate(
            part=Coalesce(Sum("quantity", filter=Q(slice=Param("slice", 0))), 0),
            shares=Sum("quantity"),
            notional=Sum(F("quantity") * F("price")),
            fees=Coalesce(Sum("commission"), ZERO),
        )
        .values_list("part", "shares", "notional", "fees")
    )
)
# Stores the fills that are new, and returns for each order which those were and what `_TOTALS` will
# say then; the slices are one of each order.
_BOOK = """
WITH fresh AS ({insertion} ON CONFLICT (broker, account, execution_id) DO NOTHING
               RETURNING order_id, slice_id, account, execution_id, quantity, price, commission),
     fills AS (SELECT order_id, slice_id, quantity, price, commission
                 FROM execution_fill WHERE order_id = ANY(%s)
               UNION ALL SELECT order_id, slice_id, quantity, price, commission FROM fresh)
SELECT order_id, coalesce(sum(quantity) FILTER (WHERE slice_id = ANY(%s)), 0)::bigint,
       sum(quantity)::bigint, sum(quantity * price), coalesce(sum(commission), 0),
       (SELECT json_agg(json_build_array(account, execution_id))
          FROM fresh WHERE fresh.order_id = fills.order_id)
FROM fills GROUP BY order_id
"""
_CORRECTED = ("revision", "quantity", "price", "executed_at", "commission")


@dataclass(frozen=True, slots=True)
class Inserted:
    """The executions of one child that nobody had booked before, and the totals with them."""

    new: frozenset[ExecutionKey] = frozenset()
    totals: _Totals = (0, 0, ZERO, ZERO)


def insert(
    children: Sequence[tuple[Slice, Sequence[Execution]]], *, broker: str
) -> dict[int, Inserted]:
    """Store what is new of the executions of children of different locked orders, by
    the id of the order. One statement, so that its rows of positions are taken in one order."""
    fills = [
        _fill(part, execution, broker) for part, executions in children for execution in executions
    ]
    if not fills:
        return {}
    orders, parts = zip(*((part.order_id, part.pk) for part, _ in children), strict=True)
    rows = execute(_booking(), [as_json(fills), list(orders), list(parts)]).fetchall()
    return {
        order_id: Inserted(frozenset((account, key) for account, key in new or ()), tuple(totals))
        for order_id, *totals, new in rows
    }


def book(
    order: Order,
    part: Slice,
    executions: Sequence[Execution],
    *,
    broker: str,
    at: datetime,
    inserted: Inserted | None = None,
) -> bool:
    """Record the executions of one child under its order's lock; True if any was new. `inserted`:
    what `insert` returned for them.

    Repeats and shuffles change nothing. A higher revision replaces the numbers; the same
    execution with other numbers is recorded and left alone, for a person to look at.
    """
    if not executions:
        return False
    if inserted is None:
        inserted = insert([(part, executions)], broker=broker).get(order.pk, Inserted())
    new, totals = inserted.new, inserted.totals
    known = {} if len(new) == len(executions) else _known(executions, broker=broker)
    changed, recorded = False, set[ExecutionKey]()
    late = part.status in SLICE_TERMINAL
    for execution in executions:
        if execution.key in new - recorded:
            recorded.add(execution.key)
            kind = EventKind.LATE_FILL if late else EventKind.FILL
            record_event(order, kind, _numbers(part, execution), at=at, part=part)
        else:
            changed |= _again(order, part, known[execution.key], execution, at=at)
    if changed:
        totals = _TOTALS.first(order=order.pk, slice=part.pk) or totals
    if changed or new:
        part.filled_quantity, order.filled_quantity = totals[0], totals[1]
        order.filled_notional, order.commission = totals[2], totals[3]
        _follow(order, part, at=at)
    return changed or bool(new)


def _fill(part: Slice, execution: Execution, broker: str) -> Fill:
    return Fill(
        order_id=part.order_id,
        slice=part,
        broker=broker,
        account=execution.account,
        execution_id=execution.execution_id,
        revision=execution.revision,
        quantity=execution.quantity,
        price=execution.price,
        commission=execution.commission,
        executed_at=execution.executed_at,
    )


@cache
def _booking() -> str:
    return _BOOK.format(insertion=insertion(Fill))


def _known(executions: Sequence[Execution], *, broker: str) -> dict[ExecutionKey, Fill]:
    ids = [execution.execution_id for execution in executions]
    return {(fill.account, fill.execution_id): fill for fill in _KNOWN.all(broker=broker, ids=ids)}


def _again(order: Order, part: Slice, fill: Fill, execution: Execution, *, at: datetime) -> bool:
    if fill.slice_id != part.pk or fill.revision == execution.revision:
        return _repeated(order, part, fill, execution, at=at)
    if fill.revision > execution.revision:
        return False
    _corrected(order, part, fill, execution, at=at)
    return True


def _repeated(order: Order, part: Slice, fill: Fill, execution: Execution, *, at: datetime) -> bool:
    same = (fill.slice_id, fill.quantity, fill.price) == (
        part.pk,
        execution.quantity,
        execution.price,
    )
    if not same:
        record_event(order, EventKind.FILL_CONFLICT, _numbers(part, execution), at=at, part=part)
        return False
    if execution.commission not in (None, fill.commission):
        locks.alone_only()
        before, fill.commission = fill.commission, execution.commission
        save(fill, "commission")
        facts = _numbers(part, execution) | ({} if before is None else {"before": before})
        record_event(order, EventKind.COMMISSION, facts, at=at, part=part)
        return True
    return False


def _corrected(
    order: Order, part: Slice, fill: Fill, execution: Execution, *, at: datetime
) -> None:
    locks.alone_only()  # a further statement would take rows of positions in another order
    fill.revision, fill.quantity = execution.revision, execution.quantity
    fill.price, fill.executed_at = execution.price, execution.executed_at
    if execution.commission is not None:
        fill.commission = execution.commission
    save(fill, *_CORRECTED)
    record_event(order, EventKind.FILL_CORRECTED, _numbers(part, execution), at=at, part=part)


def _numbers(part: Slice, execution: Execution) -> dict[str, object]:
    return {
        "slice": part.sequence,
        "execution_id": execution.execution_id,
        "revision": execution.revision,
        "quantity": execution.quantity,
        "price": execution.price,
        "commission": execution.commission,
        "executed_at": execution.executed_at.isoformat(),
    }


def _follow(order: Order, part: Slice, *, at: datetime) -> None:
    """Let the statuses say what the totals say; the constraint needs both in one statement."""
    whole = part.quantity is not None and part.filled_quantity >= part.quantity
    if whole and part.status != SliceStatus.FILLED:
        move_slice(part, SliceStatus.FILLED, at=at, filled_quantity=part.filled_quantity)
    elif not whole and part.status == SliceStatus.FILLED:
        move_slice(
            part,
            SliceStatus.CANCELLED,
            at=at,
            reason="a correction took shares back",
            filled_quantity=part.filled_quantity,
        )
    else:
        save(part, "filled_quantity")
    totals = ["filled_quantity", "filled_notional", "commission"]
    after = _status_by_totals(order)
    if after is None:
        save(order, *totals)
        return
    move_order(order, after, at=at, reason=_why(order, after), also=totals)
    if after in (OrderStatus.FILLED, OrderStatus.OVERFILLED) and completion.others_live(part):
        # Nothing further may leave for an order that has its shares.
        completion.drop_unsent(order, SliceStatus.SKIPPED, at=at, reason="the order has its shares")


def _status_by_totals(order: Order) -> OrderStatus | None:
    if order.filled_quantity > order.quantity:
        after = OrderStatus.OVERFILLED
    elif order.filled_quantity == order.quantity:
        after = OrderStatus.FILLED
    elif order.status in (OrderStatus.FILLED, OrderStatus.OVERFILLED, OrderStatus.REJECTED):
        after = OrderStatus.EXPIRED
    else:
        return None
    return None if order.status == after else after


def _why(order: Order, after: OrderStatus) -> str:
    if after == OrderStatus.OVERFILLED:
        return f"executed {order.filled_quantity:,} of {order.quantity:,}: stopped"
    if order.status in ORDER_TERMINAL:
        return "a late fill or a correction changed the totals"
    return ""
