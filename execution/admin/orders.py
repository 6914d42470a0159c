"""Orders: the list, one order with its parts, and the controls over them."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from execution.admin import (
    amend_page,
    base,
    control_pages,
    order_chart,
    order_list_upload,
    order_parts,
    orders_now,
    ticket,
)
from execution.admin.base import ReadOnlyAdmin
from execution.admin.large_tables import by_indexed, by_known
from execution.domain.algorithms.registry import ALGOS
from execution.domain.exchange_time import exchange_midnight
from execution.domain.lifecycle import ORDER_LIVE
from execution.domain.signal import URGENCIES
from execution.market import clock
from execution.models import Order
from execution.orders import results

OPEN_FIRST = Case(When(status__in=sorted(ORDER_LIVE), then=0), default=1)


class LifeFilter(admin.SimpleListFilter):
    """Where nothing is chosen and nothing searched for: what is open, and what is of today."""

    title = "life"
    parameter_name = "life"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Open"), ("ended", "Ended"), ("all", "All")]

    @override
    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        first, *others = super().choices(changelist)
        return iter([{**first, "display": "Today and open"}, *others])

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "live":
            return queryset.filter(status__in=ORDER_LIVE)
        if self.value() == "ended":
            return queryset.exclude(status__in=ORDER_LIVE)
        if self.value() == "all" or request.GET.get(SEARCH_VAR):
            return queryset
        today = Q(created_at__gte=exchange_midnight(clock.now()))
        return queryset.filter(today | Q(status__in=sorted(ORDER_LIVE)))


class BasketFilter(admin.SimpleListFilter):
    """Says which basket the list is of; which one is chosen on the page of baskets."""

    title = "basket"
    parameter_name = "basket"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        name = request.GET.get(self.parameter_name)
        return [(name, name)] if name else []

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(basket=self.value()) if self.value() else queryset


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin[Order]):
    change_form_template = "admin/execution/order/change_form.html"
    says_when_empty = "No order is open, and none is of today. Older ones: Filters, life, All."
    list_display = (
        "state",
        "filled",
        "what",
        "algorithm",
        "created",
        "average",
        "slippage",
        "strategy",
        "account",
    )
    list_display_links = ("what",)
    list_filter = (
        LifeFilter,
        BasketFilter,
        "status",
        "created_at",
        "side",
        by_known("algorithm", sorted(ALGOS)),
        by_known("urgency", URGENCIES),
        by_indexed(Order, "account"),
        by_indexed(Order, "strategy"),
        "submitted_via",
    )
    search_fields = ("symbol", "client_reference__startswith", "basket")
    search_help_text = "order number, symbol, basket, or the beginning of a reference"
    ordering = ("-pk",)
    actions = ("cancel_orders", "pause_orders", "resume_orders")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("what", "algorithm", "urgency"),
                    ("limit", "decided", "volume"),
                    ("starts", "ends", "finished"),
                    ("account", "strategy", "client_reference"),
                    ("in_basket",),
                    ("submitted_by", "submitted_via", "created"),
                )
            },
        ),
        (
            "Routing",
            {"fields": ("routing_facts", "order_parameters", "seed"), "classes": ("collapse",)},
        ),
    )

    @override
    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """Open first only where the rows are few: sorting all orders that ever were takes long."""
        asked = request.GET.get(LifeFilter.parameter_name) or request.GET.get(SEARCH_VAR)
        return ("-pk",) if asked else (OPEN_FIRST, "-pk")

    @override
    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """Each by an index: a symbol is in capitals."""
        term = search_term.strip()
        if base.is_id(term):
            return queryset.filter(pk=int(term)), False
        if not term:
            return queryset, False
        named = Q(symbol=term.upper()) | Q(client_reference__startswith=term)
        return queryset.filter(named | (Q(basket=term) & ~Q(basket=""))), False

    @admin.display(description="created", ordering="created_at")
    def created(self, order: Order) -> str:
        return base.exchange_time(order.created_at)

    @admin.display(description="order", ordering="symbol")
    def what(self, order: Order) -> SafeString:
        text = f"{order.pk} {order.side} {order.quantity:,} {order.symbol}"
        return format_html(
            '<span class="ds-{}" data-order="{}">{}</span>', order.side.lower(), order.pk, text
        )

    @admin.display(description="status", ordering="status")
    def state(self, order: Order) -> SafeString:
        return base.badge(order.status)

    def filled(self, order: Order) -> SafeString:
        return base.bar(order.filled_quantity, order.quantity)

    def average(self, order: Order) -> str:
        return base.price(results.average_price(order))

    def slippage(self, order: Order) -> str:
        return base.bps(results.actual_slippage_bps(order))

    @admin.display(description="limit price")
    def limit(self, order: Order) -> str:
        return base.price(order.limit_price)

    @admin.display(description="average daily volume")
    def volume(self, order: Order) -> str:
        shares = order.average_daily_volume
        return base.NOTHING if shares is None else f"{shares:,} shares"

    @admin.display(description="decision price")
    def decided(self, order: Order) -> str:
        outside = " (off the market: not in any figure)"
        note = outside if order.decision_within_collar is False else ""
        return f"{base.price(order.decision_price)}{note}"

    @admin.display(description="basket")
    def in_basket(self, order: Order) -> SafeString | str:
        return base.basket_link(order.basket) if order.basket else base.NOTHING

    @admin.display(description="starts")
    def starts(self, order: Order) -> str:
        return base.exchange_time(order.start_at)

    @admin.display(description="ends")
    def ends(self, order: Order) -> str:
        return base.exchange_time(order.end_at)

    @admin.display(description="finished")
    def finished(self, order: Order) -> str:
        return base.exchange_time(order.finished_at)

    @admin.display(description="routing")
    def routing_facts(self, order: Order) -> SafeString:
        return base.plain_json(order.routing)

    @admin.display(description="parameters")
    def order_parameters(self, order: Order) -> SafeString:
        return base.plain_json(order.parameters)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("execution.cancel_order")

    @admin.action(description="Cancel the chosen orders", permissions=["cancel"])
    def cancel_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._ask(request, queryset, "cancel")

    @admin.action(description="Pause the chosen orders", permissions=["cancel"])
    def pause_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._ask(request, queryset, "pause")

    @admin.action(description="Resume the chosen orders", permissions=["cancel"])
    def resume_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._ask(request, queryset, "resume")

    def _ask(
        self, request: HttpRequest, queryset: QuerySet[Order], control: str
    ) -> HttpResponse | None:
        most = control_pages.AT_ONCE
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: most + 1])
        if ids and len(ids) <= most:
            return control_pages.ask(request, control, ids, back=request.get_full_path())
        hint = f"at most {most} orders at a time; a trading state stops more of them at once"
        self.message_user(request, hint if ids else "no such orders", messages.WARNING)
        return None

    @override
    def get_urls(self) -> list[URLPattern]:
        pages = (order_chart, orders_now, ticket, order_list_upload, control_pages, amend_page)
        return [*(each for page in pages for each in page.urls()), *super().get_urls()]

    @override
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = control_pages.allowed(request) | (extra_context or {})
        return super().change_view(request, object_id, form_url, context)

    @override
    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Order | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context["parts"] = order_parts.tables(obj)
        return super().render_change_form(request, context, add, change, form_url, obj)
