"""What passes between the workers and the process that owns an Interactive Brokers socket."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from typing_extensions import override

from execution.admin import base
from execution.admin.base import ReadOnlyAdmin
from execution.models import IbkrExecution, IbkrGateway, IbkrInquiry, IbkrOrder


@admin.register(IbkrGateway)
class IbkrGatewayAdmin(ReadOnlyAdmin[IbkrGateway]):
    list_display = ("endpoint", "coloured", "detail", "process", "clock_skew_seconds", "seen")

    @admin.display(description="state", ordering="state")
    def coloured(self, row: IbkrGateway) -> SafeString:
        return base.badge(row.state)

    @admin.display(description="seen", ordering="seen_at_real")
    def seen(self, row: IbkrGateway) -> str:
        return base.exchange_time(row.seen_at_real)


@admin.register(IbkrOrder)
class IbkrOrderAdmin(ReadOnlyAdmin[IbkrOrder]):
    list_display = (
        "client_order_id",
        "account",
        "symbol",
        "side",
        "filled",
        "limit",
        "coloured",
        "order_id",
        "broker_status",
        "queued",
        "text",
    )
    list_filter = ("stage", "side", "account")
    search_fields = ("client_order_id__exact", "symbol__exact")
    search_help_text = "a whole client order id, or a symbol in capitals"
    ordering = ("-pk",)

    @admin.display(description="stage", ordering="stage")
    def coloured(self, row: IbkrOrder) -> SafeString:
        return base.badge(row.stage)

    @admin.display(description="reported filled")
    def filled(self, row: IbkrOrder) -> SafeString:
        return base.bar(row.reported_filled, row.quantity)

    @admin.display(description="limit price")
    def limit(self, row: IbkrOrder) -> str:
        return base.price(row.limit_price)

    @admin.display(description="queued", ordering="queued_at_real")
    def queued(self, row: IbkrOrder) -> str:
        return base.exchange_time(row.queued_at_real)


@admin.register(IbkrExecution)
class IbkrExecutionAdmin(ReadOnlyAdmin[IbkrExecution]):
    list_display = ("id", "order", "execution_id", "revision", "quantity", "paid", "executed")
    list_filter = ("account",)
    search_fields = ("execution_id__exact", "order__client_order_id__exact")
    search_help_text = "a whole execution id or client order id"
    ordering = ("-pk",)

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[IbkrExecution]:
        return super().get_queryset(request).select_related("order")

    @admin.display(description="price")
    def paid(self, row: IbkrExecution) -> str:
        return base.price(row.price)

    @admin.display(description="executed", ordering="executed_at")
    def executed(self, row: IbkrExecution) -> str:
        return base.exchange_time(row.executed_at)


@admin.register(IbkrInquiry)
class IbkrInquiryAdmin(ReadOnlyAdmin[IbkrInquiry]):
    list_display = ("kind", "account", "gateway", "asked", "taken", "problem")
    list_filter = ("kind",)
    list_select_related = ("gateway",)
    ordering = ("-pk",)

    @admin.display(description="asked", ordering="asked_at_real")
    def asked(self, row: IbkrInquiry) -> str:
        return base.exchange_time(row.asked_at_real)

    @admin.display(description="taken", ordering="taken_at_real")
    def taken(self, row: IbkrInquiry) -> str:
        return base.exchange_time(row.taken_at_real)
