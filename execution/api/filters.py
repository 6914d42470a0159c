"""Which orders a list shows, and how it is paged."""

from collections.abc import Collection, Sequence
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView
from typing_extensions import override

from execution.access import desks
from execution.api.signal_schema import TICKER
from execution.domain import reading
from execution.domain.algorithms.registry import ALGOS
from execution.domain.lifecycle import ORDER_LIVE, OrderStatus
from execution.domain.reading import shown
from execution.domain.signal import SIDES, ticker
from execution.models import Order

MAX_ID = 2**63 - 1
_SEVERAL = django_filters.MultipleChoiceFilter  # given twice, it asks for both
_BAD_CURSOR = {"cursor": ["is not one of ours: take it from `next` or `previous` of a page"]}


def _choices(values: Any) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


@extend_schema_field(OpenApiTypes.BOOL)
class TrueOrFalse(django_filters.TypedChoiceFilter):
    """Any other word is an error; django-filter's own would show all rows."""

    def __init__(self, **options: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda word: word == "true", **options)


class _ZonedField(forms.Field):
    def to_python(self, value: Any) -> Any:
        try:
            return reading.moment(value) if value else None
        except ValueError as error:
            # A sentence of its own would be taken for a format string.
            raise forms.ValidationError("%(said)s", params={"said": error}) from None


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(django_filters.Filter):
    """A time with its zone, as everywhere: without one it would mean hours earlier or later."""

    field_class = _ZonedField


class _TickerField(forms.Field):
    def to_python(self, value: Any) -> Any:
        try:
            return ticker(value) if value else None
        except ValueError as error:
            raise forms.ValidationError("%(said)s", params={"said": error}) from None


@extend_schema_field({"type": "string", "pattern": TICKER})
class TickerFilter(django_filters.Filter):
    """Read as strictly as a signal's symbol: of `aapl` an empty list would look like an answer."""

    field_class = _TickerField


class OrderFilter(django_filters.FilterSet):
    symbol = TickerFilter()
    side = django_filters.ChoiceFilter(choices=_choices(SIDES))
    status = django_filters.MultipleChoiceFilter(choices=_choices(OrderStatus))
    live = TrueOrFalse(method="filter_live", label="neither ended nor denied")
    algorithm = django_filters.ChoiceFilter(choices=_choices(ALGOS))
    account = django_filters.CharFilter()
    strategy = django_filters.CharFilter()
    basket = django_filters.CharFilter()
    client_reference = django_filters.CharFilter()
    created_after = MomentFilter("created_at", "gte")
    created_before = MomentFilter("created_at", "lt")
    include = django_filters.ChoiceFilter(
        choices=_choices(["alternatives"]),
        method="filter_nothing",
        label="`alternatives`: with what each other algorithm would have cost",
    )

    class Meta:
        model = Order
        fields: list[str] = []

    def filter_nothing(self, rows: QuerySet[Order], name: str, value: str) -> QuerySet[Order]:
        return rows

    def filter_live(self, rows: QuerySet[Order], name: str, value: bool) -> QuerySet[Order]:
        live = {"status__in": ORDER_LIVE}
        return rows.filter(**live) if value else rows.exclude(**live)


class KnownFilters(DjangoFilterBackend):
    """A misspelt filter is an error: an unfiltered list would look like an answer. What is of no
    desk of the caller is in no answer."""

    @override
    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: APIView) -> Any:
        filters = self.get_filterset_class(view, queryset)
        paging = {"cursor", "limit", "format", "ordering"}
        known = paging | set(filters.get_filters() if filters else ())
        several = {name for name, each in _filters(filters) if isinstance(each, _SEVERAL)}
        refuse_unknown(request, known, several=several)
        refuse_blanks(request)
        found = super().filter_queryset(request, queryset, view)
        return desks.visible(found, request.user)


def refuse_unknown(
    request: Request, known: Collection[str], *, several: Collection[str] = ()
) -> None:
    """Raises ValidationError for a parameter that is not known, or is given more than once and is
    not one of `several`."""
    query = request.query_params
    if unknown := sorted(set(query) - set(known)):
        text = f"unknown; known are {', '.join(sorted(known))}"
        raise ValidationError({name: [text] for name in unknown})
    if repeated := sorted(n for n in set(query) - set(several) if len(query.getlist(n)) > 1):
        raise ValidationError({name: ["is given more than once"] for name in repeated})


def refuse_blanks(request: Request) -> None:
    """Raises ValidationError for a value that is empty, which would show all rows, or has blanks
    around it, which would be left out of what is looked for."""
    wrong = {}
    for name, values in request.query_params.lists():
        if not all(values):
            wrong[name] = ["is empty: leave it out"]
        elif blank := next((each for each in values if each != each.strip()), None):
            wrong[name] = [f"has blanks around it, got {shown(blank)}"]
    if wrong:
        raise ValidationError(wrong)


def _filters(filters: Any) -> Sequence[tuple[str, Any]]:
    return tuple(filters.get_filters().items()) if filters else ()


class StrictPages(CursorPagination):
    """Pages by cursor. A cursor or a limit that means nothing is an error: the first page, or
    pages of another size, would look like an answer."""

    page_size_query_param = "limit"
    max_page_size = 500

    @override
    def decode_cursor(self, request: Request) -> Any:
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            raise ValidationError(_BAD_CURSOR) from None
        if (
            cursor is not None
            and cursor.position is not None
            and not self._fits(str(cursor.position))
        ):
            raise ValidationError(_BAD_CURSOR)
        return cursor

    @override
    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> Any:
        """As the list is, or turned round."""
        own = super().get_ordering(request, queryset, view)
        asked = request.query_params.get("ordering")
        if asked is None:
            return own
        known = {",".join(order): order for order in (own, _turned(own))}
        if asked not in known:
            text = f"must be {' or '.join(known)}, got {shown(asked)}"
            raise ValidationError({"ordering": [text]})
        return known[asked]

    @override
    def get_schema_operation_parameters(self, view: APIView) -> Any:
        own = (self.ordering,) if isinstance(self.ordering, str) else tuple(self.ordering)
        allowed = [",".join(own), ",".join(_turned(own))]
        schema = {"type": "string", "enum": allowed, "default": allowed[0]}
        ordering = {"name": "ordering", "required": False, "in": "query", "schema": schema}
        return [*super().get_schema_operation_parameters(view), ordering]

    def _fits(self, position: str) -> bool:
        """Whether a row may stand there, by the column that the pages are ordered by."""
        digits = position.isascii() and position.isdecimal() and len(position) < 20
        return digits and int(position) <= MAX_ID

    @override
    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size or self.max_page_size
        if asked.isascii() and asked.isdecimal() and len(asked) < 5:
            size = int(asked)
            if 1 <= size <= self.max_page_size:
                return size
        text = f"must be a whole number from 1 to {self.max_page_size}, got {shown(asked)}"
        raise ValidationError({"limit": [text]})


def _turned(ordering: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix("-") if name[0] == "-" else f"-{name}" for name in ordering)


class NewestFirst(StrictPages):
    ordering = "-id"


class OldestFirst(StrictPages):
    ordering = "id"


class BySequence(StrictPages):
    ordering = "sequence"
