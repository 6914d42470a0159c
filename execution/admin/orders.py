"""Orders: the list, one order with its parts, and the controls over them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from execution.admin import amend_page, base, control_pages, order_chart, ticket
from execution.admin.base import ReadOnlyAdmin, Unchangeable
from execution.admin.large_tables import by_indexed, by_known
from execution.domain.algorithms.registry import ALGOS
from execution.domain.lifecycle import ORDER_LIVE
from execution.domain.signal import URGENCIES
from execution.market import clock, market_data
from execution.models import Fill, Order, OrderEvent, Slice
from execution.orders import queries, results
from execution.orders.event_text import facts, headline

FIRST = 50  # parts shown inside an order; it may have thousands


class FirstRows(BaseInlineFormSet[Model, Order, ModelForm[Model]]):
    @override
    def get_queryset(self) -> Any:
        if not hasattr(self, "_first"):
            self._first = super().get_queryset()[:FIRST]
        return self._first


class _Inline(Unchangeable, base.TabularInline[Any, Order]):
    formset = FirstRows
    extra = 0
    can_delete = False
    template = "admin/execution/order/parts.html"


class SliceInline(_Inline):
    model = Slice
    verbose_name_plural = f"slices, the first {FIRST}"
    ordering = ("sequence",)
    fields = readonly_fields = (
        "sequence",
        "state",
        "due",
        "planned_quantity",
        "filled",
        "limit",
        "attempt",
        "lateness",
        "reason",
    )

    @admin.display(description="status")
    def state(self, part: Slice) -> SafeString:
        return base.badge(part.status)

    @admin.display(description="due")
    def due(self, part: Slice) -> str:
        return base.exchange_time(part.due_at)

    def filled(self, part: Slice) -> SafeString:
        return base.bar(part.filled_quantity, part.quantity or part.planned_quantity)

    def limit(self, part: Slice) -> str:
        return base.price(part.limit_price)

    @admin.display(description="late by")
    def lateness(self, part: Slice) -> str:
        return base.NOTHING if part.lateness_ms is None else f"{part.lateness_ms:,.0f} ms"


class FillInline(_Inline):
    model = Fill
    verbose_name_plural = f"fills, the first {FIRST}"
    ordering = ("pk",)
    fields = readonly_fields = (
        "executed",
        "slice_number",
        "quantity",
        "paid",
        "commission",
        "execution_id",
    )

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("slice")

    @admin.display(description="executed")
    def executed(self, fill: Fill) -> str:
        return base.exchange_time(fill.executed_at)

    @admin.display(description="price")
    def paid(self, fill: Fill) -> str:
        return base.price(fill.price)

    @admin.display(description="slice")
    def slice_number(self, fill: Fill) -> int:
        return fill.slice.sequence


class EventInline(_Inline):
    model = OrderEvent
    verbose_name_plural = f"events, the first {FIRST}"
    ordering = ("pk",)
    fields = readonly_fields = ("happened", "told")

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("order")

    @admin.display(description="at")
    def happened(self, event: OrderEvent) -> str:
        return base.exchange_time(event.at)

    @admin.display(description="what")
    def told(self, event: OrderEvent) -> SafeString:
        said = headline(event.kind, event.data, event.order.side)
        return base.folded(said, facts(event.kind, event.data))


class LiveFilter(admin.SimpleListFilter):
    title = "life"
    parameter_name = "life"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Live"), ("ended", "Ended")]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "live":
            return queryset.filter(status__in=ORDER_LIVE)
        return queryset.exclude(status__in=ORDER_LIVE) if self.value() == "ended" else queryset


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin[Order]):
    change_form_template = "admin/execution/order/change_form.html"
    list_display = (
        "id",
        "created",
        "what",
        "algorithm",
        "state",
        "filled",
        "average",
        "slippage",
        "strategy",
        "account",
    )
    list_display_links = ("id", "what")
    list_filter = (
        LiveFilter,
        "status",
        "created_at",
        "side",
        by_known("algorithm", sorted(ALGOS)),
        by_known("urgency", URGENCIES),
        by_indexed(Order, "account"),
        by_indexed(Order, "strategy"),
        "submitted_via",
    )
    search_fields = ("symbol__iexact", "client_reference__startswith")
    search_help_text = "order number, symbol, or the beginning of a client reference"
    ordering = ("-pk",)
    actions = ("cancel_orders", "pause_orders", "resume_orders")
    inlines = (SliceInline, FillInline, EventInline)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("what", "state", "status_reason"),
                    ("filled", "average", "paid_commission"),
                    ("arrival", "slippage", "estimated"),
                    "against_vwap",
                    ("starts", "ends", "finished"),
                    "all_parts",
                )
            },
        ),
        (
            "Order request",
            {
                "fields": (
                    ("account", "strategy", "client_reference"),
                    ("submitted_by", "submitted_via"),
                    ("algorithm", "urgency", "limit"),
                    ("decided", "average_daily_volume", "created"),
                )
            },
        ),
        (
            "Routing",
            {"fields": ("routing_facts", "order_parameters", "seed"), "classes": ("collapse",)},
        ),
    )

    @override
    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        if base.is_id(search_term):
            return queryset.filter(pk=int(search_term)), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="created", ordering="created_at")
    def created(self, order: Order) -> str:
        return base.exchange_time(order.created_at)

    @admin.display(description="order", ordering="symbol")
    def what(self, order: Order) -> str:
        return f"{order.side} {order.quantity:,} {order.symbol}"

    @admin.display(description="status", ordering="status")
    def state(self, order: Order) -> SafeString:
        return base.badge(order.status)

    def filled(self, order: Order) -> SafeString:
        return base.bar(order.filled_quantity, order.quantity)

    def average(self, order: Order) -> str:
        return base.price(results.average_price(order))

    @admin.display(description="arrival mid")
    def arrival(self, order: Order) -> str:
        return base.price(results.arrival_price(order))

    def slippage(self, order: Order) -> str:
        return base.bps(results.actual_slippage_bps(order))

    @admin.display(description="estimated slippage")
    def estimated(self, order: Order) -> str:
        estimate = order.estimated_slippage_bps
        if estimate is None:
            return base.NOTHING
        error = results.estimated_standard_error_bps(order)
        known = "n/a" if error is None else f"{error:.1f} bps"
        return f"{estimate:+.1f} bps, standard error {known}"

    @admin.display(description="market VWAP")
    def against_vwap(self, order: Order) -> SafeString | str:
        """Of the order's window so far, and how far its average is from that."""
        seen = queries.tracking(order, market_data(), now=clock.now())
        if seen is None or seen.market_vwap is None:
            return base.NOTHING
        usual = "" if seen.usual_bps is None else f", usually within {seen.usual_bps:.1f} bps"
        return format_html(
            "{}, own average {}{}{}",
            base.price(seen.market_vwap),
            base.bps(seen.deviation_bps),
            usual,
            ", preliminary" if seen.preliminary else "",
        )

    @admin.display(description="commission")
    def paid_commission(self, order: Order) -> str:
        return f"{order.commission:,.2f}"

    @admin.display(description="limit price")
    def limit(self, order: Order) -> str:
        return base.price(order.limit_price)

    @admin.display(description="decision price")
    def decided(self, order: Order) -> str:
        outside = " (off the market: not in any figure)"
        told = outside if order.decision_within_collar is False else ""
        return f"{base.price(order.decision_price)}{told}"

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

    @admin.display(description="parts")
    def all_parts(self, order: Order) -> SafeString:
        counts = {
            "slice": ("slices", order.slices.count()),
            "fill": ("fills", order.fills.count()),
            "orderevent": ("events", order.events.count()),
        }
        links = [
            base.parts_link(model, order.pk, f"{count:,} {name}")
            for model, (name, count) in counts.items()
        ]
        return SafeString(", ".join(links))

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
        own = [*order_chart.urls(), *ticket.urls(), *control_pages.urls(), *amend_page.urls()]
        return [*own, *super().get_urls()]

    @override
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {
            "may_control": self.has_cancel_permission(request),
            "may_amend": request.user.has_perm(amend_page.PERMISSION),
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)
