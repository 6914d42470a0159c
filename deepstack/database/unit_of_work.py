"""What is written of rows: named columns and new rows, gathered where a transaction says so.

Each statement costs more on its way than in PostgreSQL. What a gathering transaction writes waits
until something is read, or until the end, and leaves as one statement. Nobody can tell the
difference: the values are those of the moment of the call, and whatever is read finds them.

Rows travel as one JSON text, which PostgreSQL reads by the types of the table: the statement is the
same for one row and for fifty.
"""

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Model

from deepstack.database.statement import literal, run


class Overtaken(DatabaseError):
    """The row's status was none of those that the change is for."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the writes of one statement have in common: the columns `names` of rows whose status is
    `among` these, or new rows."""

    model: type[Model]
    names: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    new: bool = False


@dataclass(slots=True)
class _Waiting:
    """Changes by row, with their columns and values, and new rows by model."""

    changes: dict[tuple[type[Model], Any], dict[str, object]] = field(default_factory=dict)
    among: dict[tuple[type[Model], Any], tuple[str, ...]] = field(default_factory=dict)
    new: dict[type[Model], list[tuple[Model, dict[str, object]]]] = field(default_factory=dict)


class _Own(threading.local):
    waiting: _Waiting | None = None


_own = _Own()


@contextmanager
def gathered() -> Iterator[None]:
    """Within a transaction: what is saved and inserted leaves before anything else is asked of this
    thread's connection, and at the end; what ends by an exception has not happened."""
    if _own.waiting is not None:  # the outer one ends later
        yield
        return
    _own.waiting = _Waiting()
    try:
        with connection.execute_wrapper(_after_flush):
            yield
        flush()
    finally:
        _own.waiting = None


def save(row: Model, *names: str, among: Collection[str] = ()) -> None:
    """Write the named columns of a stored row; with `among` only while its status is one of them.

    Raises Overtaken if it is not, and DatabaseError if the row is gone; at once, or where gathered
    writes leave.
    """
    key = (type(row), row.pk)
    if row.pk is None or (among and _own.waiting and key in _own.waiting.changes):
        flush()  # it is a new row that waits, or the condition is about what it is by then
        key = (type(row), row.pk)
    columns = _columns(type(row), names)
    waiting = _own.waiting or _Waiting()
    if among:
        waiting.among[key] = tuple(sorted(among))
    waiting.changes.setdefault(key, {}).update(
        {column: getattr(row, name) for name, column in columns}
    )
    if _own.waiting is None:
        _write(waiting)


def insert(rows: Iterable[Model]) -> None:
    """Store new rows of one model; once that has left they know their ids."""
    made = list(rows)
    if not made:
        return
    waiting = _own.waiting or _Waiting()
    waiting.new.setdefault(type(made[0]), []).extend((row, _values(row)) for row in made)
    if _own.waiting is None:
        _write(waiting)


def flush() -> None:
    """Let what waits leave."""
    waiting = _own.waiting
    if waiting is not None and (waiting.changes or waiting.new):
        _own.waiting = _Waiting()
        _write(waiting)


def as_json(rows: Iterable[Model]) -> str:
    """New rows as `insertion` takes them."""
    return _text_of([_values(row) for row in rows])


@cache
def insertion(model: type[Model]) -> str:
    """The statement that stores new rows, to be a part of another; its one value is `as_json`."""
    names = ", ".join(f'"{each.column}"' for each in _insertable(model))
    table = model._meta.db_table
    return (
        f'INSERT INTO "{table}" ({names}) SELECT {names}'  # noqa: S608
        f' FROM json_populate_recordset(NULL::"{table}", %s)'
    )


def _after_flush(
    execute: Callable[..., Any], statement: str, params: Any, many: bool, context: Any
) -> Any:
    flush()
    return execute(statement, params, many, context)


def _write(waiting: _Waiting) -> None:
    """One statement for all, whose parts each return the ids that they have written."""
    shapes, values = list[_Shape](), list[object]()
    changed = _by_shape(waiting)
    for shape, keys in changed.items():
        shapes.append(shape)
        values.append(_text_of([{"id": key[1], **waiting.changes[key]} for key in keys]))
        values.append([key for _, key in keys])
    for model, rows in waiting.new.items():
        shapes.append(_Shape(model, new=True))
        values.append(_text_of([fields for _, fields in rows]))
    found = run(_statement(tuple(shapes)), values).fetchone() or ()
    for (shape, keys), ids in zip(changed.items(), found[: len(changed)], strict=True):
        _check(shape, {key for _, key in keys} - set(ids))
    for rows, ids in zip(waiting.new.values(), found[len(changed) :], strict=True):
        for (row, _), key in zip(rows, ids, strict=True):
            row.pk, row._state.adding = key, False


def _by_shape(waiting: _Waiting) -> dict[_Shape, list[tuple[type[Model], Any]]]:
    found: dict[_Shape, list[tuple[type[Model], Any]]] = {}
    for key, values in waiting.changes.items():
        shape = _Shape(key[0], tuple(values), waiting.among.get(key, ()))
        found.setdefault(shape, []).append(key)
    return found


def _check(shape: _Shape, missing: set[object]) -> None:
    if not missing:
        return
    rows = f"{shape.model._meta.label} {', '.join(map(str, sorted(missing, key=str)))}"
    if shape.among:
        raise Overtaken(f"{rows} has become something else meanwhile")
    raise DatabaseError(f"{rows} is gone: nothing was written")


@cache
def _statement(shapes: tuple[_Shape, ...]) -> str:
    parts = ", ".join(f"w{place} AS ({_part(shape)})" for place, shape in enumerate(shapes))
    ids = ", ".join(f"ARRAY(TABLE w{place})" for place in range(len(shapes)))
    return f"WITH {parts} SELECT {ids}"


@cache
def _part(shape: _Shape) -> str:
    if shape.new:
        return f"{insertion(shape.model)} RETURNING id"
    table = shape.model._meta.db_table
    changes = ", ".join(f'"{name}" = made."{name}"' for name in shape.names)
    condition = (
        f" AND kept.status IN ({', '.join(map(literal, shape.among))})" if shape.among else ""
    )
    # The ids stand there twice, and the status is part of an expression: a table that was empty
    # when it was planned for would be read whole by the join alone, or by an index of the status.
    return (
        f'UPDATE "{table}" AS kept SET {changes}'  # noqa: S608
        f' FROM json_populate_recordset(NULL::"{table}", %s) AS made'
        f" WHERE kept.id = made.id AND kept.id = ANY(%s){condition} RETURNING kept.id"
    )


@cache
def _columns(model: type[Model], names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The attribute and the column of each field."""
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    return [(field.attname, field.column) for field in fields]


@cache
def _insertable(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


def _values(row: Model) -> dict[str, object]:
    return {field.column: field.pre_save(row, True) for field in _insertable(type(row))}


def _text_of(rows: Sequence[dict[str, object]]) -> str:
    return json.dumps(rows, default=_plain)


def _plain(value: object) -> str:
    match value:
        case date():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
    raise TypeError(f"{value!r} has no form in JSON")
