"""Every lock there is, in the one order in which they are taken: an order, then its slices,
then the participation of its symbol and side, then the messages of its account.

All changes to an order, its slices and its fills happen under the order's row lock.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import Error, OperationalError, connection, transaction
from django.db.models import CharField, Exists, F, Func, OuterRef, QuerySet, Value

from deepstack.database.advisory_locks import MESSAGES, PARTICIPATION, SENDER, SENDING
from deepstack.database.prepared_query import IsAny, Param, Prepared, execute, looking_ahead
from deepstack.database.unit_of_work import gathered
from execution.domain.lifecycle import SLICE_TERMINAL
from execution.models import Order, Slice

_OTHERS = Slice.objects.filter(order=OuterRef("order")).exclude(pk=OuterRef("pk"))


_SLICE = Prepared[Slice](
    lambda: (
        Slice.objects.defer("explanation")
        .annotate(others_live=Exists(_OTHERS.exclude(status__in=sorted(SLICE_TERMINAL))))
        .filter(pk=Param("slice", 0))
    ),
    many=True,
)


# Lets the commit of this transaction not wait for the disk.
_UNHURRIED = Func(
    Value("synchronous_commit"),
    Value("off"),
    Value(True),
    function="set_config",
    output_field=CharField(),
)


def _to_lock() -> "QuerySet[Order]":
    return Order.objects.select_for_update().filter(pk=Param("order", 0))


def _to_lock_together() -> "QuerySet[Order]":
    free = Order.objects.select_for_update(skip_locked=True)
    return free.filter(IsAny(F("pk"), Param("orders", [0]))).order_by("pk")


_ORDER = Prepared[Order](_to_lock)


_ORDER_UNHURRIED = Prepared[Order](lambda: _to_lock().annotate(unhurried=_UNHURRIED))


_ORDERS = Prepared[Order](_to_lock_together)


_ORDERS_UNHURRIED = Prepared[Order](lambda: _to_lock_together().annotate(unhurried=_UNHURRIED))


class NeedsOwnTransaction(Exception):
    """What a set of orders is locked for cannot be done for one of them without a further lock."""


class _Own(threading.local):
    together = False


_own = _Own()


@contextmanager
def locked(order_id: int, *, durable: bool = True) -> Iterator[Order]:
    """A transaction that holds the order's row lock, with its writes gathered. Raises
    Order.DoesNotExist.

    What is not `durable` may be gone after a crash of PostgreSQL, together with all that was
    committed after it; the next durable commit makes it so.
    """
    with transaction.atomic(), gathered():
        order = (_ORDER if durable else _ORDER_UNHURRIED).first(order=order_id)
        if order is None:
            raise Order.DoesNotExist(f"order {order_id}")
        yield order


@contextmanager
def locked_together(
    order_ids: Iterable[int], *, durable: bool = True
) -> Iterator[Mapping[int, Order]]:
    """A transaction that holds the row locks of those of the orders that nobody else holds, with
    its writes gathered and what it has read ahead looked up. `durable` as in `locked`.

    It waits for no lock of an order, and no other lock can be taken in it: two such sets never
    wait for each other.
    """
    orders = _ORDERS if durable else _ORDERS_UNHURRIED
    with transaction.atomic(), gathered(), looking_ahead():
        free = orders.all(orders=sorted(order_ids))
        _own.together = True
        try:
            yield {order.pk: order for order in free}
        finally:
            _own.together = False


def alone_only() -> None:
    """Raise NeedsOwnTransaction where a set of orders is locked."""
    if _own.together:
        raise NeedsOwnTransaction


def read_slices_ahead(slice_ids: Iterable[int]) -> None:
    """For `slice_of`, under `locked_together`."""
    _SLICE.read_ahead({"slice": slice_id} for slice_id in slice_ids)


def slice_of(order: Order, slice_id: int) -> Slice:
    """A slice of a locked order as it is now, with whether `others_live` of the order. Raises
    Slice.DoesNotExist."""
    part = _SLICE.first(slice=slice_id)
    if part is None:
        raise Slice.DoesNotExist(f"slice {slice_id}")
    part.order = order
    return part


@contextmanager
def sole_sender(slice_id: int) -> Iterator[bool]:
    """Yields whether this process alone may send the slice, and conclude anything from the broker's
    not knowing it; False while another one does, be it frozen in the middle of its request.

    Whoever loses the connection loses the lock, and with it the means to write a conclusion.
    """
    key = _key(slice_id)
    alone: tuple[bool] = _row("SELECT pg_try_advisory_lock(%s::int, %s::int)", SENDER, key)
    try:
        yield alone[0]
    finally:
        if alone[0]:
            _release("SELECT pg_advisory_unlock(%s::int, %s::int)", SENDER, key)


_TAKE = """
SELECT pg_advisory_lock_shared(%s), ARRAY(
    SELECT key FROM unnest(%s::bigint[]) AS key WHERE pg_try_advisory_lock(%s::int, key::int))
"""
_GIVE = """
SELECT pg_advisory_unlock_shared(%s), ARRAY(
    SELECT pg_advisory_unlock(%s::int, key::int) FROM unnest(%s::bigint[]) AS key)
"""


@contextmanager
def sending(slice_ids: Iterable[int]) -> Iterator[frozenset[int]]:
    """`sole_sender` of each of the slices, held around their final checks and broker calls so that
    a halt can wait for all of them. Yields those that this process alone may send."""
    keys = {slice_id: _key(slice_id) for slice_id in slice_ids}
    try:
        _, free = _row(_TAKE, SENDING, list(keys.values()), SENDER)
    except Error:
        connection.close()  # should any of the locks have been taken, it goes with its session
        raise
    try:
        yield frozenset(slice_id for slice_id, key in keys.items() if key in free)
    finally:
        _release(_GIVE, SENDING, SENDER, free)


def _key(slice_id: int) -> int:
    """The lock takes 32 bits; two slices with one key wait for each other."""
    return slice_id % 2**31


def _row(statement: str, *values: object) -> Any:
    return execute(statement, values).fetchone()


def _release(statement: str, *values: object) -> None:
    """Never raises, or it would hide what the broker has answered; a lock that cannot be released
    ends with its connection."""
    try:
        execute(statement, values)
    except Error:
        connection.close()


def lock_participation(symbol: str, side: str) -> None:
    """Taken under an order's lock, held to the end of its transaction: what all parents of a symbol
    and side have at work is counted and added to by one at a time."""
    alone_only()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [PARTICIPATION, f"{side} {symbol}"]
        )


def lock_messages(account: str) -> None:
    """Taken under an order's lock, held to the end of its transaction: an account whose messages
    are bounded counts and sends them one at a time."""
    alone_only()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [MESSAGES, account])


def nothing_in_flight(patience_ms: int) -> bool:
    """Wait until every send that began before has ended; False if some still run by then."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{patience_ms}ms"])
        try:
            with transaction.atomic():
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SENDING])
        except OperationalError:
            return False
    return True


def free_rows(slices: QuerySet[Slice]) -> QuerySet[Slice]:
    """Those of the slices that nobody is changing now, locked until the transaction ends.

    For notes on many slices at once, which are made without their orders' locks: whoever waits
    for no row cannot be part of a deadlock.
    """
    rows = slices.order_by().select_for_update(skip_locked=True, of=("self",))
    return Slice.objects.filter(pk__in=rows.values("pk"))
