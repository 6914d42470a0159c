"""What the API says about alerts and days. Money and basis points are text, exact."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from rest_framework import serializers

from execution.api.serializers import Remark, StrictSerializer, real_time
from monitoring.models import Alert, AlertDelivery, BreakerTrip, CostAnalysis, DailySummary
from monitoring.trading_days import FIRST, LAST


class DeliverySerializer(serializers.ModelSerializer[AlertDelivery]):
    next_try_at = real_time("next_try_at_real")
    settled_at = real_time("settled_at_real")

    class Meta:
        model = AlertDelivery
        fields = [
            "channel",
            "event",
            "state",
            "attempts",
            "next_try_at",
            "settled_at",
            "last_error",
        ]


class NoteSerializer(StrictSerializer):
    """Who acknowledges is known; `note` says what is done about it."""

    note = Remark(max_length=300, required=False, default="", allow_blank=True)


class AlertSerializer(serializers.ModelSerializer[Alert]):
    recorded_at = real_time("raised_at_real")
    acknowledged_at = real_time("acknowledged_at_real")
    end_recorded_at = real_time("ended_at_real")
    active = serializers.BooleanField(read_only=True)
    symbol = serializers.CharField(source="order.symbol", default=None, read_only=True)
    deliveries = DeliverySerializer(many=True, read_only=True)

    class Meta:
        model = Alert
        fields = [
            "id",
            "kind",
            "severity",
            "message",
            "account",
            "order",
            "symbol",
            "data",
            "raised_at",
            "recorded_at",
            "active",
            "acknowledged_by",
            "acknowledged_at",
            "note",
            "ended_at",
            "end_recorded_at",
            "ended_because",
            "deliveries",
        ]


class CostSerializer(serializers.ModelSerializer[CostAnalysis]):
    """Basis points and money, + = cost; null where it is not known."""

    computed_at = real_time("computed_at_real")
    final = serializers.BooleanField(read_only=True)
    preliminary = serializers.BooleanField(
        read_only=True, help_text="the market may still change the figures"
    )

    class Meta:
        model = CostAnalysis
        fields = [
            "order",
            "final",
            "preliminary",
            "computed_at",
            "average_price",
            "market_vwap",
            "market_twap",
            "market_volume",
            "final_price",
            "delay",
            "trading",
            "opportunity",
            "fees",
            "shortfall_bps",
            "arrival_bps",
            "vwap_bps",
            "twap_bps",
            "participation",
            "pwp_price",
            "pwp_bps",
            "pwp5_bps",
            "pwp10_bps",
            "open_bps",
            "close_bps",
            "spread_capture",
            "relative_performance",
            "reversion_bps",
            "late_reversion_bps",
        ]


class DailySummarySerializer(serializers.ModelSerializer[DailySummary]):
    success_rate = serializers.FloatField(read_only=True)
    built_at = real_time("built_at_real")

    class Meta:
        model = DailySummary
        fields = [
            "date",
            "account",
            "total_executions",
            "success_rate",
            "filled_orders",
            "failed_orders",
            "total_volume",
            "total_value",
            "commission",
            "slippage_bps",
            "vwap_bps",
            "shortfall_bps",
            "alerts_generated",
            "quality_score",
            "grade",
            "figures",
            "built_at",
        ]


class FiguresSerializer(serializers.Serializer[Any]):
    """Costs in basis points, + = cost; null where it is not known."""

    total_executions = serializers.IntegerField()
    success_rate = serializers.FloatField()
    filled_orders = serializers.IntegerField()
    failed_orders = serializers.IntegerField()
    cancelled_orders = serializers.IntegerField()
    slow_orders = serializers.IntegerField()
    fill_rate = serializers.FloatField(allow_null=True)
    preliminary_orders = serializers.IntegerField(
        help_text="executed orders whose market figures may still change"
    )
    total_volume = serializers.IntegerField()
    total_value = serializers.DecimalField(max_digits=None, decimal_places=6)
    commission = serializers.DecimalField(max_digits=None, decimal_places=6)
    slippage_bps = serializers.DecimalField(max_digits=None, decimal_places=4, allow_null=True)
    estimated_slippage_bps = serializers.DecimalField(
        max_digits=None, decimal_places=4, allow_null=True
    )
    vwap_bps = serializers.DecimalField(max_digits=None, decimal_places=4, allow_null=True)
    shortfall_bps = serializers.DecimalField(max_digits=None, decimal_places=4, allow_null=True)


class SummarySerializer(FiguresSerializer):
    date = serializers.DateField()
    account = serializers.CharField(allow_blank=True)
    alerts_generated = serializers.IntegerField()
    alerts = serializers.DictField(child=serializers.IntegerField())
    by_algorithm = serializers.DictField(child=FiguresSerializer())


class QualitySerializer(serializers.Serializer[Any]):
    quality_score = serializers.FloatField()
    grade = serializers.CharField()
    breakdown = serializers.DictField(child=serializers.FloatField())
    unknown = serializers.ListField(child=serializers.CharField())
    executions = serializers.IntegerField()
    date = serializers.DateField()


class LiveSerializer(serializers.Serializer[Any]):
    orders = serializers.IntegerField()
    ordered = serializers.IntegerField()
    executed = serializers.IntegerField()


class DashboardSerializer(serializers.Serializer[Any]):
    today = SummarySerializer()
    active_alerts = serializers.DictField(child=serializers.IntegerField())
    live = LiveSerializer()
    quality = QualitySerializer()


class DayQuery(serializers.Serializer[Any]):
    """Which day and account are asked about; nothing given: today, all accounts."""

    date = serializers.DateField(
        required=False, validators=[MinValueValidator(FIRST), MaxValueValidator(LAST)]
    )
    account = serializers.CharField(required=False, max_length=32)


class BreakerTripSerializer(serializers.ModelSerializer[BreakerTrip]):
    holding = serializers.SerializerMethodField(help_text="nobody has resumed it yet")
    recorded_at = real_time("tripped_at_real")
    cooldown_until = real_time("cooldown_until_real")
    resumed_at = real_time("resumed_at_real")

    class Meta:
        model = BreakerTrip
        fields = [
            "id",
            "breaker",
            "scope",
            "key",
            "account",
            "measured",
            "threshold",
            "words",
            "tripped_at",
            "recorded_at",
            "cooldown_until",
            "holding",
            "resumed_at",
            "resumed_by",
            "resumed_reason",
        ]

    def get_holding(self, trip: BreakerTrip) -> bool:
        return trip.resumed_at_real is None
