"""Statements whose SQL is built once: what the path of a slice asks and writes again and again.

Django builds the SQL of a queryset anew at every use, which costs several times what PostgreSQL
needs to answer it. Here PostgreSQL keeps the plan as well: constants stand in the text, so that
partial indexes apply, and only what changes from slice to slice is a parameter.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

import psycopg
from django.db import DatabaseError, connection, transaction
from django.db.models import BooleanField, Expression, Func, JSONField, Model, QuerySet
from django.db.models.query import get_related_populators
from psycopg import sql
from psycopg.types.numeric import Int8
from typing_extensions import override

M = TypeVar("M", bound=Model)
Row = TypeVar("Row")
_COMPILED = "default"
_INT8 = range(-(2**63), 2**63)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Param(Expression):
    """A value that is given when the query runs; `like` is one of its kind that finds nothing."""

    def __init__(self, name: str, like: object) -> None:
        super().__init__()
        self.name, self.like = name, like

    @override
    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class IsAny(Func):
    """Whether a column is one of the values of a `Param` that is a list."""

    template, arg_joiner = "%(expressions)s)", " = ANY("
    output_field = BooleanField()


class Prepared(Generic[Row]):
    """A query of instances, with their related ones and annotations, or of `values_list` rows.

    `build` makes the queryset, with a `Param` for each value that is not always the same.
    """

    def __init__(self, build: Callable[[], "QuerySet[Any, Row]"]) -> None:
        self._build = build
        _ALL.append(self)

    def all(self, **values: object) -> list[Row]:
        text, params, convert, make = self._plan
        rows = execute(text, [values[param.name] for param in params]).fetchall()
        return [make(row) for row in convert(rows)]

    def first(self, **values: object) -> Row | None:
        """The first row; the queryset bounds how many there are."""
        return next(iter(self.all(**values)), None)

    def warm(self) -> None:
        """Have PostgreSQL prepare it; it finds nothing."""
        self.all(**{param.name: param.like for param in self._plan[1]})

    @cached_property
    def _plan(self) -> tuple[str, list[Param], Callable[[Any], Any], Callable[[Any], Row]]:
        queryset = self._build()
        compiler: Any = queryset.query.get_compiler(using=_COMPILED)
        text, found = compiler.as_sql()
        slots = ["%s" if isinstance(value, Param) else _literal(value) for value in found]
        params = [value for value in found if isinstance(value, Param)]
        rows_are_models = compiler.klass_info is not None and queryset._fields is None  # type: ignore[attr-defined]  # as QuerySet itself tells them apart
        make: Any = _instances(compiler) if rows_are_models else tuple
        return text.replace("%%", "%%%%") % tuple(slots), params, _converter(compiler), make


def _converter(compiler: Any) -> Callable[[Any], Any]:
    """What makes Python's values of those that PostgreSQL's have no type for, such as JSON."""
    converters = compiler.get_converters([column[0] for column in compiler.select])
    if not converters:
        return iter
    return lambda rows: compiler.apply_converters(rows, converters)


def _literal(value: object) -> str:
    return sql.Literal(value).as_string(None).replace("%", "%%")


def _instances(compiler: Any) -> Callable[[Any], Any]:
    """What turns a row into an instance, as ModelIterable does it."""
    select, info = compiler.select, compiler.klass_info
    start, end = info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column[0].target.attname for column in select[start:end]]
    populators = get_related_populators(info, select, _COMPILED)  # type: ignore[call-arg]  # Django 6's
    annotations = list((compiler.annotation_col_map or {}).items())

    def make(row: Any) -> Any:
        found = info["model"].from_db(_COMPILED, names, row[start:end])
        for populator in populators:
            populator.populate(row, found)
        for name, place in annotations:
            setattr(found, name, row[place])
        return found

    return make


_ALL = list[Prepared[Any]]()


def warm() -> None:
    """Connect this thread and prepare all queries that are made by now, which would otherwise make
    its first slice late."""
    with transaction.atomic():  # some lock rows, if they find any
        for query in _ALL:
            query.warm()


def save(row: Model, *names: str, among: Collection[str] = ()) -> bool:
    """Write the named columns of a stored row; with `among` only while its status is one of them.

    Whether it was written. Without a condition a missing row raises DatabaseError.
    """
    text, fields = _update(type(row), names, tuple(sorted(among)))
    values = [ready(getattr(row, name)) for name, ready in fields]
    written = execute(text, [*values, row.pk]).rowcount == 1
    if not written and not among:
        raise DatabaseError(f"{row._meta.label} {row.pk} is gone: nothing was written")
    return written


def insert(rows: Iterable[Model]) -> None:
    """Store new rows of one model in one statement; they know their ids afterwards."""
    made = list(rows)
    if not made:
        return
    text, fields = _insert(type(made[0]), len(made))
    values = [ready(take(row, True)) for row in made for take, ready in fields]
    for row, (key,) in zip(made, execute(text, values), strict=True):
        row.pk, row._state.adding = key, False


@cache
def _update(
    model: type[Model], names: tuple[str, ...], among: tuple[str, ...]
) -> tuple[str, list[Any]]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    changes = ", ".join(f'"{field.column}" = %s' for field in fields)
    ready = [(field.attname, _ready(field)) for field in fields]
    condition = f" AND status IN ({', '.join(map(_literal, among))})" if among else ""
    return f'UPDATE "{model._meta.db_table}" SET {changes} WHERE id = %s{condition}', ready  # noqa: S608


@cache
def _insert(model: type[Model], count: int) -> tuple[str, list[Any]]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    rows = ", ".join([row] * count)
    ready = [(field.pre_save, _ready(field)) for field in fields]
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES {rows} RETURNING id', ready  # noqa: S608


def _ready(field: Any) -> Callable[[Any], Any]:
    """What makes a value one that psycopg knows how to send: nearly all are."""
    if isinstance(field, JSONField):
        return lambda value: field.get_db_prep_save(value, connection)
    return lambda value: value


def execute(text: str, values: Sequence[object] = ()) -> "psycopg.Cursor[Any]":
    """Run a statement that PostgreSQL keeps the plan of; its errors are Django's."""
    connection.close_if_health_check_failed()  # as every cursor of Django's own begins
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        return psycopg.Cursor(connection.connection).execute(text, _told(values), prepare=True)


def _told(values: Sequence[object]) -> list[object]:
    """Whole numbers as 64 bits: psycopg would take the smallest type for each, and PostgreSQL plan
    the statement anew for every mixture of sizes."""
    return [_wide(each) for each in values]


def _wide(value: object) -> object:
    if type(value) is int and value in _INT8:
        return Int8(value)
    return [_wide(each) for each in value] if type(value) is list else value
