"""Alerts and their deliveries, webhooks, breakers."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from execution.admin.base import (
    NOTHING,
    ReadOnlyAdmin,
    TabularInline,
    Unchangeable,
    badge,
    exchange_time,
)
from execution.admin.large_tables import by_indexed, by_known
from execution.models import Order
from monitoring.alerting.alert_kinds import AlertKind
from monitoring.models import (
    ACTIVE,
    Alert,
    AlertDelivery,
    BreakerTrip,
    ChannelHealth,
    EventCursor,
    WebhookDelivery,
    WebhookPosition,
)
from monitoring.operations import acknowledging


class DeliveryInline(Unchangeable, TabularInline[AlertDelivery, Alert]):
    model = AlertDelivery
    extra = 0
    fields = readonly_fields = (
        "channel",
        "event",
        "state",
        "attempts",
        "next_try_at_real",
        "settled_at_real",
        "last_error",
    )
    can_delete = False


class ActiveFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "active"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Active"), ("no", "Acknowledged or ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value() is None:
            return queryset
        return queryset.filter(ACTIVE) if self.value() == "yes" else queryset.exclude(ACTIVE)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin[Any]):
    list_display = [
        "level",
        "raised_at",
        "kind",
        "message",
        "account",
        "order",
        "acknowledged_by",
        "note",
        "ended_at",
        "not_delivered",
    ]
    list_filter = [
        ActiveFilter,
        "severity",
        by_known("kind", [each.value for each in AlertKind]),
        by_indexed(Order, "account"),
        "raised_at",
    ]
    list_select_related = ["order"]
    list_display_links = ["raised_at"]
    says_when_empty = "No alert was raised yet."
    readonly_fields = ["not_delivered"]
    exclude = ["dedupe_key"]
    search_fields = ["message", "account", "=order__id", "order__symbol"]
    inlines = [DeliveryInline]
    actions = ["acknowledge"]
    change_form_template = "monitoring/operations/alert.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        return super().get_queryset(request).prefetch_related("deliveries")

    @admin.display(description="severity", ordering="severity")
    def level(self, alert: Alert) -> str:
        return badge(alert.severity)

    @admin.display(description="not delivered")
    def not_delivered(self, alert: Alert) -> str:
        """The channels that have not taken it, and what they answered."""
        failing = [each for each in alert.deliveries.all() if each.last_error]
        return "; ".join(
            f"{each.channel}: {each.last_error}" for each in failing if each.state != "SENT"
        )

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(acknowledging.PERMISSION))

    @admin.action(description="Acknowledge the chosen alerts", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> HttpResponse | None:
        most = acknowledging.AT_ONCE
        ids = list(queryset.values_list("pk", flat=True)[: most + 1])
        if ids and len(ids) <= most:
            return acknowledging.ask(request, ids)
        hint = f"at most {most} alerts at a time" if ids else "no such alerts"
        self.message_user(request, hint, messages.WARNING)
        return None

    def get_urls(self) -> list[URLPattern]:
        return [*acknowledging.urls(), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may = {"may_acknowledge": self.has_acknowledge_permission(request)}
        return super().change_view(request, object_id, form_url, may | (extra_context or {}))


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(ReadOnlyAdmin[Any]):
    list_display = [
        "alert",
        "channel",
        "event",
        "state",
        "attempts",
        "next_try_at_real",
        "settled_at_real",
        "last_error",
    ]
    list_filter = ["state", "channel"]
    list_select_related = ["alert"]
    search_fields = ["=alert__id", "alert__message", "last_error"]


@admin.register(ChannelHealth)
class ChannelHealthAdmin(ReadOnlyAdmin[Any]):
    list_display = ["channel", "sent_at_real", "failing_since_real", "failures", "problem"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin[Any]):
    list_display = [
        "id",
        "receiver",
        "number_of_events",
        "state",
        "attempts",
        "created_at_real",
        "next_try_at_real",
        "settled_at_real",
        "last_error",
    ]
    list_filter = ["state", "receiver"]

    @admin.display(description="events")
    def number_of_events(self, delivery: WebhookDelivery) -> int:
        return len(delivery.events)


@admin.register(WebhookPosition)
class WebhookPositionAdmin(ReadOnlyAdmin[Any]):
    list_display = ["receiver", "event_id", "read_at_real"]


@admin.register(EventCursor)
class EventCursorAdmin(ReadOnlyAdmin[Any]):
    list_display = ["id", "event_id"]


@admin.register(BreakerTrip)
class BreakerTripAdmin(ReadOnlyAdmin[BreakerTrip]):
    """What a breaker holds goes on by `Trading states`, or the order's own page."""

    list_display = ("breaker", "holds", "words", "tripped", "until", "resumed", "resumed_by", "why")
    list_filter = (("resumed_at_real", admin.EmptyFieldListFilter), "breaker")
    ordering = ("-pk",)

    @admin.display(description="holds")
    def holds(self, row: BreakerTrip) -> str:
        return f"{row.scope} {row.key}".strip()

    @admin.display(description="tripped", ordering="tripped_at_real")
    def tripped(self, row: BreakerTrip) -> str:
        return exchange_time(row.tripped_at_real)

    @admin.display(description="cool-down until")
    def until(self, row: BreakerTrip) -> str:
        return exchange_time(row.cooldown_until_real)

    @admin.display(description="resumed", ordering="resumed_at_real")
    def resumed(self, row: BreakerTrip) -> str:
        return exchange_time(row.resumed_at_real)

    @admin.display(description="reason")
    def why(self, row: BreakerTrip) -> str:
        return row.resumed_reason or NOTHING
