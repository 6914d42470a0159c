"""The market of a trial and the paper broker's book, what was learned, special days and trading
halts."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from execution.admin import base
from execution.admin.base import ReadOnlyAdmin
from execution.admin.limits import ByRisk
from execution.admin.stale_pages import FreshForm
from execution.market import trading_halts
from execution.market.calendar import Hours, wrong_hours, wrong_year
from execution.models import (
    Bar,
    CalendarOverride,
    MarketClock,
    MarketHalt,
    PaperExecution,
    PaperFlow,
    PaperOrder,
    PaperVolume,
    SlippageCalibration,
    TradingState,
    VolumeProfile,
)
from execution.risk import kill_switch


@admin.register(Bar)
class BarAdmin(ReadOnlyAdmin[Bar]):
    list_display = ("symbol", "start", "open", "high", "low", "close", "volume", "vwap")
    search_fields = ("symbol__exact",)
    search_help_text = "a symbol in capitals"
    ordering = ("-pk",)

    @admin.display(description="start", ordering="start_at")
    def start(self, bar: Bar) -> str:
        return base.exchange_time(bar.start_at)


@admin.register(VolumeProfile)
class VolumeProfileAdmin(ReadOnlyAdmin[VolumeProfile]):
    list_display = (
        "__str__",
        "learned_from",
        "mean_volume",
        "expected_volume",
        "daily_volatility",
        "source",
    )
    search_fields = ("symbol__exact",)
    search_help_text = "a symbol in capitals"
    ordering = ("-pk",)
    exclude = ("shares", "sessions", "deviations")
    readonly_fields = ("learned_from", "curve")

    @admin.display(description="sessions")
    def learned_from(self, profile: VolumeProfile) -> str:
        days = profile.sessions
        return f"{len(days)}, {days[0]} to {days[-1]}" if days else "none"

    def curve(self, profile: VolumeProfile) -> SafeString:
        """The session from left to right, the busiest minute as high as the picture."""
        highest = max(profile.shares, default=0) or 1
        points = " ".join(
            f"{minute},{100 - 100 * share / highest:.1f}"
            for minute, share in enumerate(profile.shares)
        )
        return format_html(
            '<svg class="ds-curve" viewBox="0 0 {} 100"><polyline points="{}"/></svg>',
            len(profile.shares),
            points,
        )


@admin.register(SlippageCalibration)
class SlippageCalibrationAdmin(ReadOnlyAdmin[SlippageCalibration]):
    list_display = (
        "id",
        "__str__",
        "fitted",
        "orders",
        "prior_tested_error_bps",
        "tested_error_bps",
        "coverage_percent",
        "adopted",
        "refused",
        "made_by",
        "made",
    )
    list_filter = ("adopted", "model", "broker")
    search_fields = ("symbol__exact",)
    search_help_text = "a symbol in capitals"
    ordering = ("-pk",)

    def fitted(self, row: SlippageCalibration) -> str:
        return ", ".join(
            f"{name} {found['value']:.4g} \N{PLUS-MINUS SIGN} {found['standard_error']:.2g}"
            + (f" ({found['prior_share']:.0%} configured)" if "prior_share" in found else "")
            for name, found in row.coefficients.items()
        )

    @admin.display(description="95 % intervals hold", ordering="coverage")
    def coverage_percent(self, row: SlippageCalibration) -> str:
        return "n/a" if row.coverage is None else f"{row.coverage:.0%}"

    @admin.display(description="made", ordering="made_at")
    def made(self, row: SlippageCalibration) -> str:
        return base.exchange_time(row.made_at)


@admin.register(MarketClock)
class MarketClockAdmin(ReadOnlyAdmin[MarketClock]):
    list_display = ("anchor", "real_anchor", "speed")


class CalendarOverrideForm(FreshForm[CalendarOverride]):
    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "day" not in cleaned or self.errors:
            return cleaned
        hours = Hours(cleaned["closed"], cleaned["open"], cleaned["close"])
        if wrong := wrong_hours(cleaned["day"], hours):
            self.add_error(None, wrong)
        return cleaned


@admin.register(CalendarOverride)
class CalendarOverrideAdmin(base.ExportedAdmin[CalendarOverride]):
    """Kept by people, by hand; every change is in its history."""

    form = CalendarOverrideForm
    list_display = ("day", "closed", "open", "close", "reason")
    list_filter = ("closed",)
    date_hierarchy = "day"
    ordering = ("-day",)


class MarketHaltForm(FreshForm[MarketHalt]):
    class Meta:
        exclude = ("source",)
        help_texts: ClassVar[dict[str, str]] = {
            "symbol": "* for the whole market",
            "start_at": "exchange time (ET, New York)",
            "end_at": "exchange time (ET, New York); empty: not over",
        }

    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (symbol := cleaned.get("symbol", "")) != trading_halts.ALL:
            try:
                kill_switch.check_key(TradingState.Scope.SYMBOL, symbol)
            except ValueError as error:
                self.add_error("symbol", str(error))
        start, end = cleaned.get("start_at"), cleaned.get("end_at")
        for name, at in (("start_at", start), ("end_at", end)):
            if at and (wrong := wrong_year(at.year)):
                self.add_error(name, wrong)
        if start and end and end <= start:
            self.add_error("end_at", f"must be after the start, {base.exchange_time(start)}")
        return cleaned


@admin.register(MarketHalt)
class MarketHaltAdmin(ByRisk, base.ExportedAdmin[MarketHalt]):
    """Reported by market data or the broker, or entered by people, who may also correct and end
    what was reported; every change of theirs is in its history."""

    form = MarketHaltForm
    list_display = ("symbol", "start", "end", "reason", "told_by")
    list_filter = ("source",)
    search_fields = ("symbol__exact",)
    search_help_text = "a symbol in capitals"
    ordering = ("-start_at",)

    @admin.display(description="start", ordering="start_at")
    def start(self, halt: MarketHalt) -> str:
        return base.exchange_time(halt.start_at)

    @admin.display(description="end", ordering="end_at")
    def end(self, halt: MarketHalt) -> str:
        return base.exchange_time(halt.end_at) if halt.end_at else "not over"

    @admin.display(description="by", ordering="source")
    def told_by(self, halt: MarketHalt) -> str:
        return halt.source or "entered by hand"


@admin.register(PaperOrder)
class PaperOrderAdmin(ReadOnlyAdmin[PaperOrder]):
    list_display = (
        "client_order_id",
        "account",
        "symbol",
        "side",
        "filled",
        "limit_price",
        "state",
        "accepted_at",
    )
    list_filter = ("status", "side", "account")
    search_fields = ("client_order_id__exact", "symbol__exact")
    search_help_text = "a whole client order id, or a symbol in capitals"
    ordering = ("-pk",)

    @admin.display(description="status", ordering="status")
    def state(self, order: PaperOrder) -> SafeString:
        return base.badge(order.status)

    def filled(self, order: PaperOrder) -> SafeString:
        return base.bar(order.filled_quantity, order.quantity)


@admin.register(PaperExecution)
class PaperExecutionAdmin(ReadOnlyAdmin[PaperExecution]):
    list_display = ("id", "order", "quantity", "price", "commission", "executed_at")
    search_fields = ("order__client_order_id__exact",)
    search_help_text = "the whole client order id"
    ordering = ("-pk",)

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[PaperExecution]:
        return super().get_queryset(request).select_related("order")


@admin.register(PaperVolume)
class PaperVolumeAdmin(ReadOnlyAdmin[PaperVolume]):
    list_display = ("symbol", "minute", "taken")
    search_fields = ("symbol__exact",)
    search_help_text = "a symbol in capitals"
    ordering = ("-minute",)


@admin.register(PaperFlow)
class PaperFlowAdmin(ReadOnlyAdmin[PaperFlow]):
    list_display = ("symbol", "minute", "bought", "sold")
    search_fields = ("symbol__exact",)
    search_help_text = "a symbol in capitals"
    ordering = ("-minute",)
