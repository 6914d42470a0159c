"""What orders cost, would have cost, and what days came to."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import admin

from execution.admin.base import (
    NOTHING,
    ReadOnlyAdmin,
    bps,
    dollars,
    price,
)
from execution.admin.large_tables import by_known
from execution.domain.algorithms.registry import ALGOS
from monitoring.models import (
    CostAnalysis,
    DailySummary,
    OrderReplay,
    ReportDelivery,
)


def _percent(share: Decimal | None) -> str:
    return NOTHING if share is None else f"{share:.1%}"


def _thousands(count: int | None) -> str:
    return NOTHING if count is None else f"{count:,}"


def _shown(name: str, title: str, written: Callable[[Any], str]) -> Callable[[Any, Any], str]:
    """A column of an admin: an attribute of the row as it is written for people."""

    @admin.display(description=title, ordering=name)
    def column(self: Any, row: Any) -> str:
        return written(getattr(row, name))

    return column


@admin.register(CostAnalysis)
class CostAnalysisAdmin(ReadOnlyAdmin[Any]):
    list_display = [
        "order",
        "average",
        "against_arrival",
        "against_vwap",
        "against_twap",
        "shortfall",
        "share_of_volume",
        "preliminary",
        "computed_at_real",
    ]
    fieldsets = (
        (None, {"fields": ("order", "average", "preliminary", "computed_at_real")}),
        (
            "Cost against",
            {
                "fields": (
                    ("against_arrival",),
                    ("against_vwap", "vwap_price"),
                    ("against_twap", "twap_price"),
                    ("against_pwp", "against_pwp10", "against_pwp5"),
                    ("against_open", "against_close"),
                )
            },
        ),
        (
            "Implementation shortfall",
            {"fields": ("shortfall", ("delayed", "traded", "missed", "paid"))},
        ),
        (
            "Market",
            {
                "fields": (
                    ("share_of_volume", "volume", "spread_kept"),
                    ("last_mid", "came_back", "came_back_later"),
                    ("due_at_real", "late_due_at_real"),
                )
            },
        ),
    )
    says_when_empty = "No order has been analysed yet."
    list_select_related = ["order"]
    list_filter = ["computed_at_real"]
    search_fields = ["=order__id", "order__symbol"]

    vwap_price = _shown("market_vwap", "market VWAP", price)
    twap_price = _shown("market_twap", "market TWAP", price)
    against_pwp = _shown("pwp_bps", "PWP 20 %", bps)
    against_pwp10 = _shown("pwp10_bps", "PWP 10 %", bps)
    against_pwp5 = _shown("pwp5_bps", "PWP 5 %", bps)
    against_open = _shown("open_bps", "open", bps)
    against_close = _shown("close_bps", "close", bps)
    delayed = _shown("delay", "delay, $", dollars)
    traded = _shown("trading", "trading, $", dollars)
    missed = _shown("opportunity", "opportunity, $", dollars)
    paid = _shown("fees", "fees, $", dollars)
    volume = _shown("market_volume", "market volume", _thousands)
    spread_kept = _shown("spread_capture", "spread kept", _percent)
    last_mid = _shown("final_price", "mid at the end", price)
    came_back = _shown("reversion_bps", "reversion, 5 min", bps)
    came_back_later = _shown("late_reversion_bps", "reversion, 30 min", bps)

    @admin.display(description="average", ordering="average_price")
    def average(self, cost: CostAnalysis) -> str:
        return price(cost.average_price)

    @admin.display(description="arrival", ordering="arrival_bps")
    def against_arrival(self, cost: CostAnalysis) -> str:
        return bps(cost.arrival_bps)

    @admin.display(description="VWAP", ordering="vwap_bps")
    def against_vwap(self, cost: CostAnalysis) -> str:
        return bps(cost.vwap_bps)

    @admin.display(description="TWAP", ordering="twap_bps")
    def against_twap(self, cost: CostAnalysis) -> str:
        return bps(cost.twap_bps)

    @admin.display(description="shortfall", ordering="shortfall_bps")
    def shortfall(self, cost: CostAnalysis) -> str:
        return bps(cost.shortfall_bps)

    @admin.display(description="participation", ordering="participation")
    def share_of_volume(self, cost: CostAnalysis) -> str:
        return _percent(cost.participation)

    @admin.display(description="figures")
    def preliminary(self, cost: CostAnalysis) -> str:
        return "preliminary" if cost.preliminary else "final"


@admin.register(OrderReplay)
class OrderReplayAdmin(ReadOnlyAdmin[OrderReplay]):
    list_display = (
        "order",
        "algorithm",
        "whose",
        "shares",
        "against_arrival",
        "against_vwap",
        "cost",
        "really",
        "problem",
        "computed_at_real",
    )
    list_select_related = ("order",)
    list_filter = (by_known("algorithm", sorted(ALGOS)), "own", "computed_at_real")
    search_fields = ("=order__id", "order__symbol")
    says_when_empty = "Orders of days that are over are replayed at night."

    shares = _shown("filled_quantity", "filled", _thousands)
    against_arrival = _shown("arrival_bps", "arrival", bps)
    against_vwap = _shown("vwap_bps", "VWAP", bps)
    cost = _shown("shortfall_bps", "shortfall", bps)
    really = _shown("actual_bps", "as it went", bps)
    whose = _shown("own", "the order's own", lambda own: "yes" if own else NOTHING)


@admin.register(DailySummary)
class DailySummaryAdmin(ReadOnlyAdmin[Any]):
    list_display = [
        "date",
        "account",
        "total_executions",
        "filled_orders",
        "failed_orders",
        "shares",
        "value",
        "arrival",
        "vwap",
        "alerts_generated",
        "quality_score",
        "grade",
    ]
    list_filter = ["account", "grade", "date"]
    search_fields = ["account"]
    date_hierarchy = "date"
    says_when_empty = "The first day's summary is written after its end."

    shares = _shown("total_volume", "shares", _thousands)
    value = _shown("total_value", "value", dollars)
    arrival = _shown("slippage_bps", "vs arrival", bps)
    vwap = _shown("vwap_bps", "vs VWAP", bps)


@admin.register(ReportDelivery)
class ReportDeliveryAdmin(ReadOnlyAdmin[Any]):
    list_display = [
        "date",
        "account",
        "channel",
        "attempts",
        "next_try_at_real",
        "sent_at_real",
        "problem",
    ]
    list_filter = ["channel"]
