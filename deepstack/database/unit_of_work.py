"""What is written of rows: named columns and new rows, gathered where a transaction says so.

Each statement costs more on its way than in PostgreSQL. What a gathering transaction writes waits
until something is read, or until the end, and leaves as one statement. Nobody can tell the
difference: the values are those of the moment of the call, and whatever is read finds them.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import JSONField, Model

from deepstack.database.statement import literal, run


class Overtaken(DatabaseError):
    """The row's status was none of those that the change is for."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What two statements have in common that differ in their values only: an update of the columns
    `names` of a row whose status is `among` these, or `count` new rows."""

    model: type[Model]
    names: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    count: int = 0


@dataclass(slots=True)
class _Waiting:
    """Changes by row, with their columns and values, and new rows by model."""

    changes: dict[tuple[type[Model], Any], dict[str, object]] = field(default_factory=dict)
    among: dict[tuple[type[Model], Any], tuple[str, ...]] = field(default_factory=dict)
    new: dict[type[Model], list[tuple[Model, list[object]]]] = field(default_factory=dict)


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
    values = {name: ready(getattr(row, name)) for name, ready in _fields(type(row), names)}
    waiting = _own.waiting
    if waiting is None:
        _update(*key, values, tuple(sorted(among)))
        return
    if among:
        waiting.among[key] = tuple(sorted(among))
    waiting.changes.setdefault(key, {}).update(values)


def insert(rows: Iterable[Model]) -> None:
    """Store new rows of one model; once that has left they know their ids."""
    made = list(rows)
    if not made:
        return
    fields = _columns(type(made[0]))
    told = [(row, [ready(take(row, True)) for take, ready in fields]) for row in made]
    if _own.waiting is None:
        _insert(type(made[0]), told)
    else:
        _own.waiting.new.setdefault(type(made[0]), []).extend(told)


def flush() -> None:
    """Let what waits leave."""
    waiting = _own.waiting
    if waiting is None or not (waiting.changes or waiting.new):
        return
    _own.waiting = _Waiting()
    if len(waiting.changes) + len(waiting.new) == 1:
        for (model, key), values in waiting.changes.items():
            _update(model, key, values, waiting.among.get((model, key), ()))
        for model, rows in waiting.new.items():
            _insert(model, rows)
    else:
        _together(waiting)


def _after_flush(
    execute: Callable[..., Any], statement: str, params: Any, many: bool, context: Any
) -> Any:
    flush()
    return execute(statement, params, many, context)


def _together(waiting: _Waiting) -> None:
    shapes = [
        _Shape(model, tuple(values), waiting.among.get((model, key), ()))
        for (model, key), values in waiting.changes.items()
    ]
    shapes += [_Shape(model, count=len(rows)) for model, rows in waiting.new.items()]
    values = [each for (_, key), told in waiting.changes.items() for each in (*told.values(), key)]
    values += [each for rows in waiting.new.values() for _, told in rows for each in told]
    found = run(_joint(tuple(shapes)), values).fetchone() or ()
    changed, stored = found[: len(waiting.changes)], found[len(waiting.changes) :]
    for (model, key), ids in zip(waiting.changes, changed, strict=True):
        _check(model, key, written=bool(ids), among=bool(waiting.among.get((model, key))))
    for rows, ids in zip(waiting.new.values(), stored, strict=True):
        _stored(rows, ids)


def _update(
    model: type[Model], key: object, values: dict[str, object], among: tuple[str, ...]
) -> None:
    shape = _Shape(model, tuple(values), among)
    written = run(_text(shape), [*values.values(), key]).rowcount == 1
    _check(model, key, written=written, among=bool(among))


def _check(model: type[Model], key: object, *, written: bool, among: bool) -> None:
    if written:
        return
    if among:
        raise Overtaken(f"{model._meta.label} {key} has become something else meanwhile")
    raise DatabaseError(f"{model._meta.label} {key} is gone: nothing was written")


def insertion(rows: Sequence[Model]) -> tuple[str, list[object]]:
    """The statement that stores new rows of one model and its values, to be a part of another."""
    fields = _columns(type(rows[0]))
    values = [ready(take(row, True)) for row in rows for take, ready in fields]
    return _insertion(type(rows[0]), len(rows)), values


def _insert(model: type[Model], rows: Sequence[tuple[Model, list[object]]]) -> None:
    values = [each for _, told in rows for each in told]
    _stored(rows, [key for (key,) in run(_text(_Shape(model, count=len(rows))), values)])


def _stored(rows: Sequence[tuple[Model, list[object]]], ids: Sequence[object]) -> None:
    for (row, _), key in zip(rows, ids, strict=True):
        row.pk, row._state.adding = key, False


@cache
def _joint(shapes: tuple[_Shape, ...]) -> str:
    parts = ", ".join(f"w{place} AS ({_text(shape)})" for place, shape in enumerate(shapes))
    ids = ", ".join(f"ARRAY(TABLE w{place})" for place in range(len(shapes)))
    return f"WITH {parts} SELECT {ids}"


@cache
def _text(shape: _Shape) -> str:
    if shape.count:
        return f"{_insertion(shape.model, shape.count)} RETURNING id"
    named: list[Any] = [shape.model._meta.get_field(name) for name in shape.names]
    changes = ", ".join(f'"{each.column}" = %s' for each in named)
    condition = f" AND status IN ({', '.join(map(literal, shape.among))})" if shape.among else ""
    table = shape.model._meta.db_table
    return f'UPDATE "{table}" SET {changes} WHERE id = %s{condition} RETURNING id'  # noqa: S608


@cache
def _insertion(model: type[Model], count: int) -> str:
    fields = [each for each in model._meta.concrete_fields if not each.primary_key]
    columns = ", ".join(f'"{each.column}"' for each in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES {", ".join([row] * count)}'  # noqa: S608


@cache
def _fields(model: type[Model], names: tuple[str, ...]) -> list[tuple[str, Any]]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    return [(field.attname, _ready(field)) for field in fields]


@cache
def _columns(model: type[Model]) -> list[tuple[Any, Any]]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    return [(field.pre_save, _ready(field)) for field in fields]


def _ready(field: Any) -> Callable[[Any], Any]:
    """What makes a value one that psycopg knows how to send: nearly all are."""
    if isinstance(field, JSONField):
        return lambda value: field.get_db_prep_save(value, connection)
    return lambda value: value
