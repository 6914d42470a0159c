"""What comparisons with the broker found; accepted by `manage.py reconcile --accept` alone."""

from django.contrib import admin
from django.utils.safestring import SafeString

from execution.admin import base
from execution.admin.base import ReadOnlyAdmin
from execution.models import BrokerAccount, BrokerDifference


@admin.register(BrokerDifference)
class BrokerDifferenceAdmin(ReadOnlyAdmin[BrokerDifference]):
    list_display = (
        "coloured",
        "account",
        "symbol",
        "ours",
        "theirs",
        "words",
        "first_seen",
        "gone",
        "accepted_by",
    )
    list_filter = (("gone_wall", admin.EmptyFieldListFilter), "kind", "broker", "account")
    search_fields = ("symbol__exact", "subject__exact")
    search_help_text = "a symbol in capitals, or an order's whole id"
    ordering = ("-pk",)

    @admin.display(description="kind", ordering="kind")
    def coloured(self, row: BrokerDifference) -> SafeString:
        return base.badge(row.kind)

    @admin.display(description="first seen", ordering="first_seen_wall")
    def first_seen(self, row: BrokerDifference) -> str:
        return base.exchange_time(row.first_seen_wall)

    @admin.display(description="gone", ordering="gone_wall")
    def gone(self, row: BrokerDifference) -> str:
        return base.exchange_time(row.gone_wall)


@admin.register(BrokerAccount)
class BrokerAccountAdmin(ReadOnlyAdmin[BrokerAccount]):
    list_display = (
        "broker",
        "account",
        "money",
        "power",
        "positions",
        "compared",
        "accepted_by",
        "problem",
    )
    list_filter = ("broker",)

    @admin.display(description="cash", ordering="cash")
    def money(self, row: BrokerAccount) -> str:
        return f"{row.cash:,.2f}"

    @admin.display(description="buying power", ordering="buying_power")
    def power(self, row: BrokerAccount) -> str:
        return f"{row.buying_power:,.2f}"

    @admin.display(description="compared", ordering="compared_wall")
    def compared(self, row: BrokerAccount) -> str:
        return base.exchange_time(row.compared_wall)
