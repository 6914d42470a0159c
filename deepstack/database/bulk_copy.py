"""Many new rows of one model at once, by PostgreSQL's COPY."""

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import connection
from django.db.models import JSONField, Model
from psycopg.types.json import Jsonb

_RESERVE = """
    SELECT %s::int, nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)
"""


def number(*tables: Sequence[Model]) -> None:
    """Give new rows their ids, those of all tables by one statement."""
    given = [rows for rows in tables if rows]
    if not given:
        return
    values: list[str | int] = []
    for place, rows in enumerate(given):
        values += place, rows[0]._meta.db_table, len(rows)
    unnumbered = [iter(rows) for rows in given]
    with connection.cursor() as cursor:
        cursor.execute("UNION ALL".join([_RESERVE] * len(given)), values)
        for place, key in cursor.fetchall():
            next(unnumbered[place]).pk = key


def copy_in(rows: Sequence[Model]) -> None:
    """Store new rows that `number` has given their ids; in a transaction of the caller's.

    `bulk_create` prepares each value by its field and writes it as SQL, which takes several times
    what PostgreSQL needs. Here a value must be of its column's own type, and rows that it refers to
    must be stored. `auto_now_add` is filled in; no signals are sent. Raises Django's errors.
    """
    if not rows:
        return
    text, take = _shape(type(rows[0]))
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(text) as copy,
    ):
        for row in rows:
            copy.write_row(take(row))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


@cache
def _shape(model: type[Model]) -> tuple[str, Callable[[Model], Sequence[Any]]]:
    """The statement, and what takes a row's values in the order of its columns."""
    fields = model._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    text = f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN'
    values = attrgetter(*(field.attname for field in fields))
    stamped = [field for field in fields if getattr(field, "auto_now_add", False)]
    places = [place for place, field in enumerate(fields) if isinstance(field, JSONField)]

    def take(row: Model) -> Sequence[Any]:
        for field in stamped:
            field.pre_save(row, add=True)
        found = list(values(row))
        for place in places:
            if found[place] is not None:
                found[place] = Jsonb(found[place])
        return found

    return text, take
