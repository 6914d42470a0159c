"""A long history in a moment: copies of one filled order, with its first slice and its first fill,
as if they had been traded weeks ago."""

from collections.abc import Mapping

from django.db import connection
from django.db.models import Model

from execution.models import Order, Slice

AGO = "interval '40 days'"


def copy(count: int) -> None:
    """Of the first order that was filled, the same account and symbol."""
    order = Order.objects.filter(status="FILLED").order_by("pk")[0]
    part = order.slices.order_by("sequence")[0]
    fill = part.fills.order_by("pk")[0]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # of this session, which does nothing else now
        cursor.execute("SELECT coalesce(max(id), 0) FROM execution_order")
        first = cursor.fetchone()[0]
        reference = {"client_reference": "'old-' || n", "id": f"{first} + n"}
        cursor.execute(*_copies(order, count, reference))
        cursor.execute("SELECT coalesce(max(id), 0) FROM execution_slice")
        first_slice = cursor.fetchone()[0]
        own = {"order_id": f"{first} + n", "id": f"{first_slice} + n"}
        cursor.execute(*_copies(part, count, own | {"client_order_id": "'old-' || n"}))
        own = {"order_id": f"{first} + n", "slice_id": f"{first_slice} + n"}
        cursor.execute(*_copies(fill, count, own | {"execution_id": "'old-' || n"}))
        for model in (Order, Slice):
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
            )
        cursor.execute("VACUUM ANALYZE execution_order, execution_slice, execution_fill")
        cursor.execute("RESET statement_timeout")


def _copies(row: Model, count: int, values: Mapping[str, str]) -> tuple[str, list[object]]:
    """The statement that inserts copies of a stored row, the n-th with its own values."""
    fields = [each for each in row._meta.concrete_fields if each.column != "id" or "id" in values]
    names = ", ".join(f'"{field.column}"' for field in fields)
    shown = ", ".join(
        values.get(field.column)
        or (f'"{field.column}" - {AGO}' if "Date" in type(field).__name__ else f'"{field.column}"')
        for field in fields
    )
    table = row._meta.db_table
    kept = f"(SELECT * FROM {table} WHERE id = %s) AS kept, generate_series(1, %s) AS n"  # noqa: S608
    return f"INSERT INTO {table} ({names}) SELECT {shown} FROM {kept}", [row.pk, count]  # noqa: S608
