"""What the pages have in common: rows that nobody edits by hand, and how their values look."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from psycopg.errors import UniqueViolation
from typing_extensions import override

from execution.access import desks
from execution.admin import csv_export
from execution.admin.large_tables import BoundedPaginator
from execution.domain.exchange_time import exchange_time as in_exchange_time
from execution.templatetags.figures import bar, cost_bps

if TYPE_CHECKING:  # unfold has no types, and adds nothing that is called here
    from django.contrib.admin import ModelAdmin, TabularInline
    from django.contrib.admin.helpers import ActionForm
    from django.forms import FileInput
else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.forms import ActionForm
    from unfold.widgets import UnfoldAdminFileFieldWidget as FileInput

__all__ = [
    "ActionForm",
    "ExportedAdmin",
    "FileInput",
    "ModelAdmin",
    "OrderPartAdmin",
    "ReadOnlyAdmin",
    "TabularInline",
    "Unchangeable",
    "bar",
]

M = TypeVar("M", bound=models.Model)
NOTHING = "-"
MOST_DIGITS = 19  # of a row's number
LAST_ID = 2**63 - 1


class Unchangeable:
    """What happened is not edited, added to or taken away."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ExportedAdmin(ModelAdmin[M]):
    """A list that whoever may see it may take along as a file. It holds what is of the desks of the
    person who looks."""

    exported = True
    kept_back: Sequence[str] = ()  # columns that no file has

    @override
    def get_queryset(self, request: HttpRequest) -> models.QuerySet[M]:
        return desks.visible(super().get_queryset(request), request.user)

    @override
    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        own = path("export.csv", self.admin_site.admin_view(self.export), name=name)
        return [own, *super().get_urls()]

    @override
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The tab says what the list is of, not to select one of it."""
        named = {"title": capfirst(str(self.opts.verbose_name_plural))}
        answer: HttpResponse = super().changelist_view(request, named | (extra_context or {}))
        return answer

    @override
    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        """A button that is pressed twice, or two people who add the same, meet after the checks of
        the form, in the database."""
        try:
            return super().changeform_view(request, *args, **options)
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            words = "Nothing was saved: the same was saved at the same moment. Here it is"
            messages.warning(request, words)
            name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
            return HttpResponseRedirect(reverse(name))

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """The rows of the list as it is filtered, on all of its pages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponse("no such filter", status=400, content_type="text/plain")
        hidden = [*self.kept_back, *(self.get_exclude(request) or ())]
        names = csv_export.columns(self.model, hidden)
        return StreamingHttpResponse(
            csv_export.lines(found.select_related(None), names),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{self.opts.model_name}.csv"',
                "Cache-Control": "no-store",
            },
        )


class ReadOnlyAdmin(Unchangeable, ExportedAdmin[M]):
    show_full_result_count = False  # a second count of a table that only grows
    paginator = BoundedPaginator
    list_per_page = 50
    list_fullwidth = True

    @override
    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The count stands below the list; beside its title it would be said to be one of more."""
        found = super().get_changelist_instance(request)
        found.full_result_count = found.result_count
        return found

    @override
    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """A year goes to the database unread, which fails on one that it does not have."""
        by_year = lookup.endswith("__year") and lookup != f"{self.date_hierarchy}__year"
        return not by_year and super().lookup_allowed(lookup, value, request)

    @override
    def response_action(
        self, request: HttpRequest, queryset: Any, *args: Any, **options: Any
    ) -> HttpResponse | None:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if all(is_id(text) for text in chosen):
            return super().response_action(request, queryset, *args, **options)
        self.message_user(request, "the chosen rows do not exist", messages.WARNING)
        return None


class OrderPartAdmin(ReadOnlyAdmin[M]):
    """Parts of orders: the newest first, but those of one order from its beginning."""

    @override
    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("pk",) if "order__id__exact" in request.GET else ("-pk",)

    @override
    def get_queryset(self, request: HttpRequest) -> models.QuerySet[M]:
        return super().get_queryset(request).select_related("order")


def is_id(text: str) -> bool:
    """Whether a row may have this number."""
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS


def numbers_in(text: str, *, most: int) -> list[int]:
    """Row numbers separated by commas, each once; none where the text is anything else."""
    words = list(dict.fromkeys(text.split(",")))
    if len(words) > most or not all(map(is_id, words)):
        return []
    return [number for word in words if (number := int(word)) <= LAST_ID]


def badge(status: str) -> SafeString:
    return format_html('<b class="ds-status ds-{}">{}</b>', status.lower(), status)


def price(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:,.4f}"


def dollars(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:,.2f}"


def bps(value: Decimal | float | None) -> str:
    """Signed; + is a cost and looks like one."""
    return NOTHING if value is None else cost_bps(value)


def plain_json(value: Any) -> SafeString:
    return format_html('<pre class="ds-json">{}</pre>', json.dumps(value, indent=2))


def folded(said: str, facts: Mapping[str, str]) -> SafeString:
    """A sentence that opens to the facts behind it."""
    if not facts:
        return format_html("{}", said)
    rows = format_html_join("", "<dt>{}</dt><dd>{}</dd>", facts.items())
    return format_html(
        '<details class="ds-facts"><summary>{}</summary><dl>{}</dl></details>', said, rows
    )


def exchange_time(at: datetime | None) -> str:
    return NOTHING if at is None else in_exchange_time(at)


def order_link(order_id: int, text: str) -> SafeString:
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:execution_order_change", args=[order_id]), text
    )


def basket_link(name: str) -> SafeString:
    query = urlencode({"name": name})
    return format_html('<a href="{}?{}">{}</a>', reverse("basket"), query, name)


def parts_link(model: str, order_id: int, text: str) -> SafeString:
    """To the list of an order's slices, fills or events."""
    url = reverse(f"admin:execution_{model}_changelist")
    return format_html('<a href="{}?order__id__exact={}">{}</a>', url, order_id, text)
