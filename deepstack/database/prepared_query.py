"""Queries whose SQL is built once: what the path of a slice asks again and again.

Django builds the SQL of a queryset anew at every use, which costs several times what PostgreSQL
needs to answer it. Here PostgreSQL keeps the plan as well: constants stand in the text, so that
partial indexes apply, and only what changes from slice to slice is a parameter.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import transaction
from django.db.models import BooleanField, Expression, Func, QuerySet
from django.db.models.query import get_related_populators
from typing_extensions import override

from deepstack.database import statement, unit_of_work
from deepstack.database.statement import literal

if TYPE_CHECKING:
    import psycopg

Row = TypeVar("Row")
_COMPILED = "default"
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
        slots = ["%s" if isinstance(value, Param) else literal(value) for value in found]
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


def execute(text: str, values: Sequence[object] = ()) -> "psycopg.Cursor[Any]":
    """Run a statement that PostgreSQL keeps the plan of, after all that was written before it."""
    unit_of_work.flush()
    return statement.run(text, values)
