"""What accounts hold by their own fills, and what they traded each day."""

from django.contrib import admin

from execution.admin.base import ReadOnlyAdmin
from execution.models import DayTrade, Position


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin[Position]):
    list_display = ("account", "symbol", "shares", "broker")
    list_filter = ("broker", "account")
    search_fields = ("symbol__iexact",)
    ordering = ("account", "symbol")


@admin.register(DayTrade)
class DayTradeAdmin(ReadOnlyAdmin[DayTrade]):
    list_display = ("midnight", "account", "side", "shares", "symbol", "money", "fees", "broker")
    list_filter = ("broker", "account", "side")
    search_fields = ("symbol__iexact",)
    ordering = ("-midnight", "account", "symbol")
