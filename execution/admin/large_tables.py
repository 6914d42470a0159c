"""Lists of tables that only grow: no query reads the whole of one."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection, models
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override

from execution.access import desks

COUNTED_UP_TO = 10_000

# A loose index scan: from one value of an indexed column to the next, whatever lies between.
_VALUES = """
WITH RECURSIVE found AS (
    (SELECT {column} AS value FROM {table} ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM {table} WHERE {column} > found.value ORDER BY {column} LIMIT 1)
    FROM found WHERE found.value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL LIMIT 200
"""


class OrMore(int):
    """A count that was ended."""

    @override
    def __str__(self) -> str:
        return f"{int(self)} or more"


class BoundedPaginator(Paginator[Any]):
    """Counts so many rows; those beyond are found by a filter or a search."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[models.Model] = self.object_list  # type: ignore[assignment]
        found = rows.order_by()[: COUNTED_UP_TO + 1].count()
        return found if found <= COUNTED_UP_TO else OrMore(COUNTED_UP_TO)


def values_of(model: type[models.Model], column: str) -> Sequence[str]:
    """The distinct values of a text column that an index begins with, in its order."""
    quote = connection.ops.quote_name
    names = {"table": quote(model._meta.db_table), "column": quote(column)}
    with connection.cursor() as cursor:
        cursor.execute(_VALUES.format(**names))
        return [value for (value,) in cursor.fetchall()]


def _seen(model: type[models.Model], column: str, request: HttpRequest) -> Sequence[str]:
    """Of the rows that the person sees; for whom desks bound, the newest of them."""
    if desks.accounts_of(request.user) is None:
        return values_of(model, column)
    rows = desks.visible(model._default_manager.order_by("-pk"), request.user)
    return sorted(set(rows.values_list(column, flat=True)[:COUNTED_UP_TO]))


class _ValueFilter(admin.SimpleListFilter):
    """By the text of a column."""

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(**{self.parameter_name or "": value})


def by_indexed(model: type[models.Model], column: str) -> type[admin.SimpleListFilter]:
    """A filter by the values that an indexed column of `model` has."""

    class Indexed(_ValueFilter):
        title = column
        parameter_name = column

        @override
        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value or "none") for value in _seen(model, column, request)]

    return Indexed


def by_known(column: str, values: Sequence[str]) -> type[admin.SimpleListFilter]:
    """A filter by values that are known without asking."""

    class Known(_ValueFilter):
        title = column
        parameter_name = column

        @override
        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value) for value in values]

    return Known
