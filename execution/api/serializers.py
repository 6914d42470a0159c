"""How rows look from outside. Prices and money are text, exactly; slippage in bps, + is a cost."""

from decimal import Decimal
from functools import cache
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse
from typing_extensions import override

from execution.domain.reading import one_line
from execution.market import clock, market_data
from execution.models import Fill, Order, OrderEvent, Slice, TradingState, TradingStateChange
from execution.orders import queries, results
from execution.orders.event_text import headline
from execution.orders.queries import Tracking
from execution.risk.kill_switch import HaltReport

PART = 50  # of an order's slices, fills and events inside its detail
PRICE_STEP = Decimal("0.000001")
INCLUDED = "alternatives"  # in the context: rows of a list show them


def real_time(column: str) -> serializers.DateTimeField:
    return serializers.DateTimeField(source=column, read_only=True, help_text="real time")


class OrderSerializer(serializers.ModelSerializer[Order]):
    remaining_quantity = serializers.SerializerMethodField()
    average_price = serializers.SerializerMethodField()
    execution_type = serializers.CharField(
        source="algorithm", read_only=True, help_text="`algorithm`, as Python callers name it"
    )
    avg_price = serializers.SerializerMethodField(
        method_name="get_average_price", help_text="`average_price`, as Python callers name it"
    )
    arrival_price = serializers.SerializerMethodField()
    estimated_standard_error_bps = serializers.SerializerMethodField()
    actual_slippage_bps = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields: tuple[str, ...] = (
            "id",
            "account",
            "strategy",
            "basket",
            "client_reference",
            "symbol",
            "side",
            "quantity",
            "urgency",
            "algorithm",
            "execution_type",
            "limit_price",
            "average_daily_volume",
            "start_at",
            "end_at",
            "status",
            "status_reason",
            "version",
            "slice_count",
            "filled_quantity",
            "remaining_quantity",
            "average_price",
            "avg_price",
            "decision_price",
            "decision_within_collar",
            "arrival_price",
            "estimated_slippage_bps",
            "estimated_standard_error_bps",
            "actual_slippage_bps",
            "commission",
            "parameters",
            "routing",
            "submitted_by",
            "submitted_via",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields

    @override
    def to_representation(self, instance: Order) -> dict[str, Any]:
        """In a list without what the other algorithms would have cost, unless asked: it is long."""
        row: dict[str, Any] = super().to_representation(instance)
        if isinstance(self.parent, serializers.ListSerializer) and not self.context.get(INCLUDED):
            row["routing"] = {
                name: value for name, value in row["routing"].items() if name != "alternatives"
            }
        return row

    def get_remaining_quantity(self, order: Order) -> int:
        return max(order.quantity - order.filled_quantity, 0)

    def get_average_price(self, order: Order) -> str | None:
        return _text(results.average_price(order))

    def get_arrival_price(self, order: Order) -> str | None:
        return _text(results.arrival_price(order))

    def get_estimated_standard_error_bps(self, order: Order) -> float | None:
        return results.estimated_standard_error_bps(order)

    def get_actual_slippage_bps(self, order: Order) -> float | None:
        return results.actual_slippage_bps(order)


@cache
def _of_one_order() -> OrderSerializer:
    """Its thirty fields take longer to make than an order takes to be shown; they hold no state."""
    return OrderSerializer()


def order_row(order: Order) -> dict[str, Any]:
    """What `OrderSerializer` shows of one order."""
    return _of_one_order().to_representation(order)


def _text(price: Decimal | None) -> str | None:
    return None if price is None else f"{price.quantize(PRICE_STEP):f}"


class OrderBatchSerializer(serializers.Serializer[Any]):
    """What became of a list of orders."""

    new = serializers.IntegerField()
    denied = serializers.IntegerField()
    basket = serializers.CharField(
        help_text="that all of them are in; named anew where they name none. Empty: not in one"
    )
    orders = OrderSerializer(many=True)


class SliceSerializer(serializers.ModelSerializer[Slice]):
    class Meta:
        model = Slice
        fields = (
            "id",
            "sequence",
            "status",
            "reason",
            "due_at",
            "end_at",
            "planned_quantity",
            "cumulative_quantity",
            "quantity",
            "filled_quantity",
            "limit_price",
            "reference_price",
            "client_order_id",
            "broker",
            "broker_order_id",
            "attempt",
            "sent_at",
            "lateness_ms",
            "finished_at",
            "explanation",
        )
        read_only_fields = fields


class FillSerializer(serializers.ModelSerializer[Fill]):
    slice = serializers.IntegerField(source="slice.sequence", read_only=True)

    class Meta:
        model = Fill
        fields = (
            "id",
            "slice",
            "broker",
            "execution_id",
            "revision",
            "quantity",
            "price",
            "commission",
            "executed_at",
        )
        read_only_fields = fields


class EventSerializer(serializers.ModelSerializer[OrderEvent]):
    slice = serializers.IntegerField(source="slice.sequence", read_only=True, allow_null=True)
    text = serializers.SerializerMethodField()
    recorded_at = real_time("recorded_at_real")

    class Meta:
        model = OrderEvent
        fields = ("id", "at", "kind", "slice", "text", "data", "recorded_at")
        read_only_fields = fields

    def get_text(self, event: OrderEvent) -> str:
        return headline(event.kind, event.data, event.order.side)


class TrackingSerializer(serializers.Serializer[Tracking]):
    """The order against the market's VWAP of its window so far; null is unknown."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    market_vwap = serializers.DecimalField(max_digits=18, decimal_places=6, allow_null=True)
    average = serializers.DecimalField(max_digits=18, decimal_places=6, allow_null=True)
    deviation_bps = serializers.FloatField(allow_null=True, help_text="+ is a cost")
    preliminary = serializers.BooleanField(help_text="later bars of the window may change it")
    typical_bps = serializers.FloatField(
        allow_null=True, help_text="how large the deviation usually is when all goes well"
    )


class SlicePart(serializers.Serializer[Any]):
    """`results` are the first; `url` has them all, in pages."""

    count = serializers.IntegerField()
    by_status = serializers.DictField(child=serializers.IntegerField())
    url = serializers.CharField()
    results = SliceSerializer(many=True)


class FillPart(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    url = serializers.CharField()
    results = FillSerializer(many=True)


class EventPart(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    url = serializers.CharField()
    results = EventSerializer(many=True)


class OrderDetailSerializer(OrderSerializer):
    """`vwap_tracking` is null for algorithms that are not held against the VWAP."""

    vwap_tracking = serializers.SerializerMethodField()
    slices = serializers.SerializerMethodField()
    fills = serializers.SerializerMethodField()
    events = serializers.SerializerMethodField()

    class Meta(OrderSerializer.Meta):
        fields = (*OrderSerializer.Meta.fields, "vwap_tracking", "slices", "fills", "events")

    @extend_schema_field(TrackingSerializer(allow_null=True))
    def get_vwap_tracking(self, order: Order) -> dict[str, Any] | None:
        seen = queries.tracking(order, market_data(), now=clock.now())
        return None if seen is None else TrackingSerializer(seen).data

    @extend_schema_field(SlicePart)
    def get_slices(self, order: Order) -> dict[str, Any]:
        by_status = queries.slices_by_status(order.pk)
        part = SlicePart(
            {
                "count": sum(by_status.values()),
                "by_status": by_status,
                "url": self._url(order, "slices"),
                "results": queries.slices_of(order.pk)[:PART],
            }
        )
        return part.data

    @extend_schema_field(FillPart)
    def get_fills(self, order: Order) -> dict[str, Any]:
        return FillPart(self._part(order, "fills", queries.fills_of(order.pk))).data

    @extend_schema_field(EventPart)
    def get_events(self, order: Order) -> dict[str, Any]:
        return EventPart(self._part(order, "events", queries.events_of(order.pk))).data

    def _part(self, order: Order, name: str, rows: Any) -> dict[str, Any]:
        first = list(rows[: PART + 1])
        count = len(first) if len(first) <= PART else rows.count()
        return {"count": count, "url": self._url(order, name), "results": first[:PART]}

    def _url(self, order: Order, part: str) -> str:
        return reverse(f"order-{part}", args=[order.pk], request=self.context.get("request"))


class Text(serializers.CharField):
    """Text alone: a number is not one, though it could be written as one."""

    @override
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Remark(Text):
    """In one line, as whoever reads it later sees it beside others."""

    @override
    def to_internal_value(self, data: Any) -> str:
        return one_line(super().to_internal_value(data))


class StrictSerializer(serializers.Serializer[Any]):
    """Names what it does not know in place of leaving it out."""

    @override
    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            text = f"unknown; known are {', '.join(self.fields)}"
            raise serializers.ValidationError({name: [text] for name in unknown})
        return super().to_internal_value(data)


class ReasonSerializer(StrictSerializer):
    """Who acts is known; `reason` says why."""

    reason = Remark(max_length=300, required=False, default="", allow_blank=True)


class ScopeSerializer(ReasonSerializer):
    scope = serializers.ChoiceField(TradingState.Scope.choices)
    key = Text(
        max_length=64, required=False, default="", allow_blank=True, help_text="none for SYSTEM"
    )
    reason = Remark(max_length=300)


class StateChangeSerializer(ScopeSerializer):
    state = serializers.ChoiceField(TradingState.State.choices)


class TradingStateSerializer(serializers.ModelSerializer[TradingState]):
    changed_at = real_time("changed_at_real")

    class Meta:
        model = TradingState
        fields = ("scope", "key", "state", "reason", "changed_by", "changed_at")
        read_only_fields = fields


class TradingStateChangeSerializer(serializers.ModelSerializer[TradingStateChange]):
    changed_at = real_time("changed_at_real")

    class Meta:
        model = TradingStateChange
        fields = (
            "id",
            "scope",
            "key",
            "before",
            "after",
            "reason",
            "changed_by",
            "changed_via",
            "changed_at",
        )
        read_only_fields = fields


class AffectedSerializer(serializers.Serializer[Any]):
    order_id = serializers.IntegerField()
    unconfirmed = serializers.IntegerField()


class HaltReportSerializer(serializers.Serializer[HaltReport]):
    state = TradingStateSerializer()
    quiet = serializers.BooleanField()
    cancels_enqueued = serializers.BooleanField()
    unconfirmed = serializers.IntegerField()
    orders = AffectedSerializer(many=True)
    warning = serializers.CharField(
        help_text="a key that no order has ever had, or what still holds orders; else empty"
    )


class AmendSerializer(serializers.Serializer[Any]):
    """Describes the request; the signal's own parser reads it."""

    version = serializers.IntegerField(
        required=False, help_text="of the order as the caller read it; or the header If-Match"
    )
    quantity = serializers.IntegerField(required=False)
    end_at = serializers.DateTimeField(required=False)
    limit_price = serializers.DecimalField(max_digits=18, decimal_places=6, required=False)
    reason = Remark(max_length=300, required=False, default="", allow_blank=True)
