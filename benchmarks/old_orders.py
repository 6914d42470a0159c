"""A long history in a moment: copies of one filled order, as if they had been traded weeks ago."""

from collections.abc import Mapping

from django.db import connection
from django.db.models import Max, Min, Model

from execution.models import Fill, Order, OrderEvent, Slice

AGO = "interval '40 days'"
Values = Mapping[str, str]  # SQL by column; `n` counts the copies


def copy(count: int) -> None:
    """Of the first order that was filled, the same account and symbol, with its first slice and
    its first fill."""
    order = Order.objects.filter(status="FILLED").order_by("pk")[0]
    part = order.slices.order_by("sequence")[0]
    fill = part.fills.order_by("pk")[0]
    first = newest(Order)
    own = {"order_id": f"{first} + n"}
    part_id = f"{newest(Slice)} + n"
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # of this session, which does nothing else now
    insert(Order, f"id = {order.pk}", count, order_values(first))
    insert(Slice, f"id = {part.pk}", count, own | {"id": part_id, "client_order_id": "'old-' || n"})
    insert(
        Fill, f"id = {fill.pk}", count, own | {"slice_id": part_id, "execution_id": "'old-' || n"}
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE execution_order, execution_slice, execution_fill")
        cursor.execute("RESET statement_timeout")


def copy_whole(order: Order, count: int) -> None:
    """With all slices, fills and events."""
    ids = order.slices.aggregate(low=Min("pk"), high=Max("pk"))
    many, first, first_slice = ids["high"] - ids["low"] + 1, newest(Order), newest(Slice)

    def slice_id(column: str) -> str:
        return f"{first_slice} + (n - 1) * {many} + {column} - {ids['low']} + 1"

    of_order = f"order_id = {order.pk}"
    own = {"order_id": f"{first} + n"}
    name = f"'old-' || {first} + n || '-' || id"
    insert(Order, f"id = {order.pk}", count, order_values(first))
    insert(Slice, of_order, count, own | {"id": slice_id("id"), "client_order_id": name})
    insert(Fill, of_order, count, own | {"slice_id": slice_id("slice_id"), "execution_id": name})
    insert(OrderEvent, of_order, count, own | {"slice_id": slice_id("slice_id")})


def order_values(first: int) -> Values:
    return {"client_reference": f"'old-' || {first} + n", "id": f"{first} + n"}


def newest(model: type[Model]) -> int:
    return int(model._default_manager.aggregate(last=Max("pk"))["last"] or 0)


def insert(model: type[Model], whose: str, count: int, values: Values) -> None:
    """Copies of the stored rows for which `whose` holds, the n-th with its own `values`; its times
    lie before the stored ones."""
    fields = [each for each in model._meta.concrete_fields if each.column != "id" or "id" in values]
    names = ", ".join(f'"{field.column}"' for field in fields)
    shown = ", ".join(
        values.get(field.column)
        or (f'"{field.column}" - {AGO}' if "Date" in type(field).__name__ else f'"{field.column}"')
        for field in fields
    )
    table = model._meta.db_table
    kept = f"(SELECT * FROM {table} WHERE {whose}) AS kept, generate_series(1, {count}) AS n"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {shown} FROM {kept}")  # noqa: S608
        if "id" in values:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
            )
