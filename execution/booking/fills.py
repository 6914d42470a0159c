"""Executions become fills: once each, corrected in place, with every total derived from them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from deepstack.database.prepared_query import IsAny, Param, Prepared, execute
from deepstack.database.unit_of_work import insertion, save
from execution.booking import completion
from execution.broker.base import Execution, ExecutionKey
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import ORDER_TERMINAL, SLICE_TERMINAL, OrderStatus, SliceStatus
from execution.models import Fill, Order, Slice
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
# Books what is not known yet, and tells which that was and what `_TOTALS` will say then.
_BOOK = """
WITH fresh AS ({insertion} ON CONFLICT (broker, account, execution_id) DO NOTHING
               RETURNING slice_id, account, execution_id, quantity, price, commission),
     fills AS (SELECT slice_id, quantity, price, commission FROM execution_fill WHERE order_id = %s
               UNION ALL SELECT slice_id, quantity, price, commission FROM fresh)
SELECT coalesce(sum(quantity) FILTER (WHERE slice_id = %s), 0)::bigint,
       coalesce(sum(quantity), 0)::bigint,
       coalesce(sum(quantity * price), 0), coalesce(sum(commission), 0),
       (SELECT json_agg(json_build_array(account, execution_id)) FROM fresh)
FROM fills
"""
_CORRECTED = ("revision", "quantity", "price", "executed_at", "commission")


def book(
    order: Order, part: Slice, executions: Sequence[Execution], *, broker: str, at: datetime
) -> bool:
    """Record the executions of one child under its order's lock; True if any was news.

    Repeats and shuffles change nothing. A higher revision replaces the numbers; the same
    execution with other numbers is told and left alone, for a person to look at.
    """
    if not executions:
        return False
    new, totals = _enter(order, part, executions, broker=broker)
    known = {} if len(new) == len(executions) else _known(executions, broker=broker)
    changed, told = False, set[ExecutionKey]()
    late = part.status in SLICE_TERMINAL
    for execution in executions:
        if execution.key in new - told:
            told.add(execution.key)
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


def _enter(
    order: Order, part: Slice, executions: Sequence[Execution], *, broker: str
) -> tuple[set[ExecutionKey], _Totals]:
    """Store what nobody has booked yet: the executions that were new, and the totals with them."""
    fills = [
        Fill(
            order=order,
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
        for execution in executions
    ]
    text, values = insertion(fills)
    row = execute(_booking(text), [*values, order.pk, part.pk]).fetchall()[0]
    return {(account, key) for account, key in row[4] or ()}, row[:4]


@cache
def _booking(insertion: str) -> str:
    return _BOOK.format(insertion=insertion)


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
        before, fill.commission = fill.commission, execution.commission
        save(fill, "commission")
        facts = _numbers(part, execution) | ({} if before is None else {"before": before})
        record_event(order, EventKind.COMMISSION, facts, at=at, part=part)
        return True
    return False


def _corrected(
    order: Order, part: Slice, fill: Fill, execution: Execution, *, at: datetime
) -> None:
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
    if after in (OrderStatus.FILLED, OrderStatus.OVERFILLED):
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
