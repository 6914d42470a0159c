"""Which orders a list shows, and how it is paged."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.views import APIView
from typing_extensions import override

from execution.domain.lifecycle import ORDER_LIVE, OrderStatus
from execution.domain.signal import ALGORITHMS, SIDES
from execution.models import Order


def _choices(values: Any) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


class OrderFilter(django_filters.FilterSet):
    symbol = django_filters.CharFilter()
    side = django_filters.ChoiceFilter(choices=_choices(SIDES))
    status = django_filters.MultipleChoiceFilter(choices=_choices(OrderStatus))
    live = django_filters.BooleanFilter(method="filter_live", label="neither ended nor denied")
    algorithm = django_filters.ChoiceFilter(choices=_choices(ALGORITHMS))
    account = django_filters.CharFilter()
    strategy = django_filters.CharFilter()
    client_reference = django_filters.CharFilter()
    created_after = django_filters.IsoDateTimeFilter("created_at", "gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", "lt")

    class Meta:
        model = Order
        fields: list[str] = []

    def filter_live(self, rows: QuerySet[Order], name: str, value: bool) -> QuerySet[Order]:
        live = {"status__in": ORDER_LIVE}
        return rows.filter(**live) if value else rows.exclude(**live)


class KnownFilters(DjangoFilterBackend):
    """A misspelt filter is an error: an unfiltered list would look like an answer."""

    @override
    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: APIView) -> Any:
        filters = self.get_filterset_class(view, queryset)
        paging = {"cursor", "limit", "format"}
        known = paging | set(filters.get_filters() if filters else ())
        if unknown := sorted(set(request.query_params) - known):
            text = f"unknown; known are {', '.join(sorted(known))}"
            raise ValidationError({name: [text] for name in unknown})
        return super().filter_queryset(request, queryset, view)


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size_query_param = "limit"
    max_page_size = 500


class OldestFirst(NewestFirst):
    ordering = "id"


class BySequence(NewestFirst):
    ordering = "sequence"
