"""What accounts hold by their own fills, and what they traded each day."""

from django.contrib import admin

from execution.admin.base import ReadOnlyAdmin, dollars
from execution.domain.exchange_time import exchange_day
from execution.models import DayTrade, Position


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin[Position]):
    list_display = ("account", "symbol", "held", "broker")
    list_filter = ("broker", "account")
    search_fields = ("symbol__iexact",)
    ordering = ("account", "symbol")
    says_when_empty = "No account holds anything by its own fills."

    @admin.display(description="shares", ordering="shares")
    def held(self, row: Position) -> str:
        return f"{row.shares:,}"


@admin.register(DayTrade)
class DayTradeAdmin(ReadOnlyAdmin[DayTrade]):
    list_display = ("day", "account", "side", "traded", "symbol", "value", "fee", "broker")
    list_filter = ("broker", "account", "side")
    search_fields = ("symbol__iexact",)
    ordering = ("-midnight", "account", "symbol")
    says_when_empty = "Nothing was traded yet."

    @admin.display(ordering="midnight")
    def day(self, row: DayTrade) -> str:
        return str(exchange_day(row.midnight))

    @admin.display(description="shares", ordering="shares")
    def traded(self, row: DayTrade) -> str:
        return f"{row.shares:,}"

    @admin.display(ordering="money")
    def value(self, row: DayTrade) -> str:
        return dollars(row.money)

    @admin.display(description="fees", ordering="fees")
    def fee(self, row: DayTrade) -> str:
        return dollars(row.fees)
