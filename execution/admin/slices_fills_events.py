"""The parts of all orders, by themselves."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from typing_extensions import override

from execution.admin import base
from execution.admin.base import OrderPartAdmin
from execution.admin.large_tables import by_indexed, by_known
from execution.broker import BROKERS
from execution.models import Fill, Order, OrderEvent, Slice
from execution.orders.event_text import headline


@admin.register(Slice)
class SliceAdmin(OrderPartAdmin[Slice]):
    list_display = (
        "state",
        "filled",
        "number",
        "parent",
        "due",
        "limit",
        "attempt",
        "reason",
    )
    list_display_links = ("number",)
    list_filter = ("status",)
    search_fields = ("client_order_id__exact", "broker_order_id__exact")
    search_help_text = "the whole client or broker order id"
    fieldsets = (
        (None, {"fields": ("parent", "number", "state", "reason")}),
        ("Plan", {"fields": ("due", "ends", "planned_quantity", "cumulative_quantity")}),
        (
            "At the broker",
            {
                "fields": (
                    "filled",
                    "limit",
                    "reference",
                    "client_order_id",
                    "broker",
                    "broker_order_id",
                    "sent",
                    "lateness_ms",
                    "finished",
                )
            },
        ),
        ("Sending", {"fields": ("attempt", "claim_token", "lease_until_real", "checks")}),
        ("Why", {"fields": ("explained",)}),
    )

    @admin.display(description="order")
    def parent(self, part: Slice) -> SafeString:
        return base.order_link(part.order_id, str(part.order))

    @admin.display(description="slice", ordering="sequence")
    def number(self, part: Slice) -> int:
        return part.sequence

    @admin.display(description="status", ordering="status")
    def state(self, part: Slice) -> SafeString:
        return base.badge(part.status)

    @admin.display(description="due", ordering="due_at")
    def due(self, part: Slice) -> str:
        return base.exchange_time(part.due_at)

    def filled(self, part: Slice) -> SafeString:
        return base.bar(part.filled_quantity, part.quantity or part.planned_quantity)

    @admin.display(description="ends")
    def ends(self, part: Slice) -> str:
        return base.exchange_time(part.end_at)

    @admin.display(description="sent")
    def sent(self, part: Slice) -> str:
        return base.exchange_time(part.sent_at)

    @admin.display(description="finished")
    def finished(self, part: Slice) -> str:
        return base.exchange_time(part.finished_at)

    @admin.display(description="reference price")
    def reference(self, part: Slice) -> str:
        return base.price(part.reference_price)

    @admin.display(description="limit price")
    def limit(self, part: Slice) -> str:
        return base.price(part.limit_price)

    @admin.display(description="explanation")
    def explained(self, part: Slice) -> SafeString:
        return base.plain_json(part.explanation)


@admin.register(Fill)
class FillAdmin(OrderPartAdmin[Fill]):
    list_display = (
        "executed",
        "parent",
        "part",
        "shares",
        "paid",
        "fee",
        "broker",
        "execution_id",
    )
    list_filter = ("executed_at", by_known("broker", sorted(BROKERS)), by_indexed(Order, "account"))
    search_fields = ("execution_id__exact",)
    search_help_text = "the whole execution id"

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Fill]:
        return super().get_queryset(request).select_related("slice")

    @admin.display(description="executed", ordering="executed_at")
    def executed(self, fill: Fill) -> str:
        return base.exchange_time(fill.executed_at)

    @admin.display(description="order")
    def parent(self, fill: Fill) -> SafeString:
        return base.order_link(fill.order_id, str(fill.order))

    @admin.display(ordering="quantity")
    def shares(self, fill: Fill) -> str:
        return f"{fill.quantity:,}"

    @admin.display(description="commission", ordering="commission")
    def fee(self, fill: Fill) -> str:
        return base.dollars(fill.commission)

    @admin.display(description="price")
    def paid(self, fill: Fill) -> str:
        return base.price(fill.price)

    @admin.display(description="slice")
    def part(self, fill: Fill) -> int:
        return fill.slice.sequence


@admin.register(OrderEvent)
class OrderEventAdmin(OrderPartAdmin[OrderEvent]):
    list_display = ("happened", "parent", "text", "kind")
    list_filter = ("kind",)
    exclude = ("data",)
    readonly_fields = ("text", "facts")

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderEvent]:
        return super().get_queryset(request).select_related("slice")

    @admin.display(description="at", ordering="at")
    def happened(self, event: OrderEvent) -> str:
        return base.exchange_time(event.at)

    @admin.display(description="order")
    def parent(self, event: OrderEvent) -> SafeString:
        return base.order_link(event.order_id, str(event.order))

    @admin.display(description="what")
    def text(self, event: OrderEvent) -> str:
        return headline(event.kind, event.data, event.order.side)

    @admin.display(description="data")
    def facts(self, event: OrderEvent) -> SafeString:
        return base.plain_json(event.data)
