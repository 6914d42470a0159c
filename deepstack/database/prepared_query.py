"""Queries whose SQL is built once: what the path of a slice asks again and again.

Django builds the SQL of a queryset anew at every use, which costs several times what PostgreSQL
needs to answer it. Here PostgreSQL keeps the plan as well: constants stand in the text, so that
partial indexes apply, and only what changes from slice to slice is a parameter.

What many slices ask at the same time is asked together: `read_ahead` has the answers to one query
for many values read by one statement, and the query answers from them while `looking_ahead` lasts.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import BooleanField, Expression, Func, QuerySet
from django.db.models.base import ModelState
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


class _Plan(NamedTuple):
    """`text` with a place for each of `params`; rows as they come become values by `convert`, and
    each of these a `Row` by `make`."""

    text: str
    params: list[Param]
    convert: Callable[[Any], Any]
    make: Callable[[Any], Any]


class _Own(threading.local):
    known: "dict[tuple[Prepared[Any], tuple[object, ...]], list[Any]] | None" = None


_own = _Own()


@contextmanager
def looking_ahead() -> Iterator[None]:
    """Within the block a query whose answer was read ahead gives that one. It is as old as the
    reading: the block must not change what it has read ahead and asks again."""
    _own.known = {}
    try:
        yield
    finally:
        _own.known = None


class Prepared(Generic[Row]):
    """A query of instances, with their related ones and annotations, or of `values_list` rows.

    `build` makes the queryset, with a `Param` for each value that is not always the same. `many`:
    it is read ahead, too. `kept`: who looks ahead asks it once, and gets the same rows again.
    """

    def __init__(
        self,
        build: Callable[[], "QuerySet[Any, Row]"],
        *,
        many: bool = False,
        kept: bool = False,
    ) -> None:
        self._build, self._many, self._kept = build, many, kept
        _ALL.append(self)

    def all(self, **values: object) -> list[Row]:
        asked = self._asked(values)
        known = _own.known if self._many or self._kept else None
        if known is not None and (self, asked) in known:
            return known[self, asked]
        rows = execute(self._for_one, asked).fetchall()
        found = [self._plan.make(row) for row in self._plan.convert(rows)]
        if known is not None and self._kept:
            known[self, asked] = found
        return found

    def first(self, **values: object) -> Row | None:
        """The first row; the queryset bounds how many there are."""
        return next(iter(self.all(**values)), None)

    def read_ahead(self, wanted: Iterable[Mapping[str, object]]) -> None:
        """Have the answers for all of these values read by one statement."""
        if _own.known is None or not self._many:
            raise RuntimeError("nobody looks ahead, or not at this query")
        asked = list(dict.fromkeys(map(self._asked, wanted)))
        if not asked:
            return
        names = [param.name for param in self._plan.params]
        told = [{"place": n, **dict(zip(names, each, strict=True))} for n, each in enumerate(asked)]
        found: list[list[Any]] = [[] for _ in asked]
        for place, *row in execute(self._for_many, [json.dumps(told, default=str)]).fetchall():
            found[place].append(row)
        for each, rows in zip(asked, found, strict=True):
            _own.known[self, each] = [self._plan.make(row) for row in self._plan.convert(rows)]

    def warm(self) -> None:
        """Have PostgreSQL prepare it; it finds nothing."""
        nothing = {param.name: param.like for param in self._plan.params}
        self.all(**nothing)
        if self._many:
            with looking_ahead():
                self.read_ahead([nothing])

    def _asked(self, values: Mapping[str, object]) -> tuple[object, ...]:
        return tuple([values[param.name] for param in self._plan.params])

    @cached_property
    def _for_one(self) -> str:
        return self._plan.text.format(*["%s"] * len(self._plan.params))

    @cached_property
    def _for_many(self) -> str:
        """The query beside a table of values, asked once for each of its rows. Without OFFSET it
        might be joined instead, to a table that was empty when it was planned for, by reading
        every row."""
        names = {param.name: _TYPES[type(param.like)] for param in self._plan.params}
        columns = ", ".join(f'"{name}" {kind}' for name, kind in names.items())
        text = self._plan.text.format(*(f'asked."{each.name}"' for each in self._plan.params))
        asked = f"json_to_recordset(%s) AS asked (place int, {columns})"
        return f"SELECT asked.place, found.* FROM {asked}, LATERAL ({text} OFFSET 0) AS found"  # noqa: S608

    @cached_property
    def _plan(self) -> _Plan:
        queryset = self._build()
        compiler: Any = queryset.query.get_compiler(using=_COMPILED)
        text, found = compiler.as_sql()
        places = ["{}" if isinstance(value, Param) else _verbatim(value) for value in found]
        params = [value for value in found if isinstance(value, Param)]
        rows_are_models = compiler.klass_info is not None and queryset._fields is None  # type: ignore[attr-defined]  # as QuerySet itself tells them apart
        make: Any = _instances(compiler) if rows_are_models else tuple
        text = text.replace("{", "{{").replace("}", "}}").replace("%%", "%%%%") % tuple(places)
        return _Plan(text, params, _converter(compiler), make)


_TYPES: Mapping[type, str] = {
    int: "bigint",
    str: "text",
    datetime: "timestamptz",
    UUID: "uuid",
}


def _verbatim(value: object) -> str:
    return literal(value).replace("{", "{{").replace("}", "}}")


def _converter(compiler: Any) -> Callable[[Any], Any]:
    """What makes Python's values of those that PostgreSQL's have no type for, such as JSON."""
    converters = compiler.get_converters([column[0] for column in compiler.select])
    if not converters:
        return iter
    return lambda rows: compiler.apply_converters(rows, converters)


def _instances(compiler: Any) -> Callable[[Any], Any]:
    """What turns a row into an instance with its related ones, as ModelIterable does it."""
    select, info = compiler.select, compiler.klass_info
    annotations = list((compiler.annotation_col_map or {}).items())
    make = _instance(select, info)
    related = [
        (each["field"], _instance(select, each)) for each in info.get("related_klass_infos", ())
    ]

    def whole(row: Any) -> Any:
        found = make(row)
        for field, make_other in related:
            field.set_cached_value(found, make_other(row))
        for name, place in annotations:
            setattr(found, name, row[place])
        return found

    return whole


def _instance(select: Any, info: Any) -> Callable[[Any], Any]:
    """Without Model.__init__, which sends two signals and asks each field: a third of what a slice
    costs in Python. What is deferred is missing in the row, and read when it is asked for."""
    model, places = info["model"], list(info["select_fields"])
    names = [select[place][0].target.attname for place in places]
    values = itemgetter(*places)

    def make(row: Any) -> Any:
        found = model.__new__(model)
        found._state = ModelState()
        found._state.adding, found._state.db = False, _COMPILED
        vars(found).update(zip(names, values(row), strict=True))
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
