"""What has left the database for files, and what it adds up to."""

from django.contrib import admin

from execution.admin import base
from execution.admin.base import ReadOnlyAdmin
from execution.models import Archive, ArchivedOrder, ArchivedTrade


@admin.register(Archive)
class ArchiveAdmin(ReadOnlyAdmin[Archive]):
    list_display = ("name", "orders", "rows", "archived")
    search_fields = ("name",)

    @admin.display(description="archived", ordering="archived_at_real")
    def archived(self, row: Archive) -> str:
        return base.exchange_time(row.archived_at_real)


@admin.register(ArchivedOrder)
class ArchivedOrderAdmin(ReadOnlyAdmin[ArchivedOrder]):
    list_display = ("order_id", "archive", "broker")
    list_select_related = ("archive",)
    list_filter = ("broker",)


@admin.register(ArchivedTrade)
class ArchivedTradeAdmin(ReadOnlyAdmin[ArchivedTrade]):
    list_display = ("midnight", "broker", "account", "symbol", "side", "shares", "money", "fees")
    list_filter = ("broker", "account", "side")
    search_fields = ("symbol",)
