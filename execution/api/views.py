"""The doors of the API: each reads the request, makes one call and shows what came of it."""

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView, ListAPIView, RetrieveAPIView, get_object_or_404
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from typing_extensions import override

from execution import context
from execution.access import desks
from execution.api import batch_progress, serializers
from execution.api.errors import Door, problem
from execution.api.filters import (
    BySequence,
    KnownFilters,
    NewestFirst,
    OldestFirst,
    OrderFilter,
    StrictPages,
)
from execution.api.parsers import BoundedList
from execution.api.permissions import ModelPermissions
from execution.api.signal_schema import MOST_AT_ONCE, SIGNALS
from execution.domain.lifecycle import OrderStatus
from execution.domain.reading import shown
from execution.entry import acceptance, baskets, order_controls, submission
from execution.market import clock
from execution.models import Fill, Order, OrderEvent, Slice, TradingState
from execution.models import TradingStateChange as StateChange
from execution.orders import queries
from execution.risk import kill_switch
from execution.risk.second_person import SecondPersonNeeded

CONTROLS = {
    "cancel": order_controls.cancel,
    "pause": order_controls.pause,
    "resume": order_controls.resume,
}
KEY = "Idempotency-Key"
_ONE_OR_MANY = PolymorphicProxySerializer(
    component_name="OrderOrBatch",
    serializers=[serializers.OrderSerializer, serializers.OrderBatchSerializer],
    resource_type_field_name=None,
)


class MayRead(ModelPermissions):
    """Whoever may see an order may see its parts."""

    perms_map = {**ModelPermissions.perms_map, "GET": ["execution.view_order"]}


class MaySubmit(ModelPermissions):
    perms_map = {**ModelPermissions.perms_map, "POST": ["execution.submit_order"]}


class MayCancel(ModelPermissions):
    perms_map = {**ModelPermissions.perms_map, "POST": ["execution.cancel_order"]}


class MayHalt(ModelPermissions):
    """Which states, `desks.may_set_state` says."""

    perms_map = {**ModelPermissions.perms_map, "POST": []}

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        if not super().has_permission(request, view):
            return False
        return request.method != "POST" or desks.sets_some_state(request.user)


class OrderList(Door, ListAPIView[Order]):
    """GET lists the orders, newest first. POST hands over one signal, or a list of up to 5,000
    that is stored whole or not at all. With `Accept: application/x-ndjson` a list is answered by
    lines: `{"planned": 100, "of": 3000}` for every hundred orders, and last the answer with its
    `status`. Who hangs up before all are planned has stored nothing."""

    queryset = Order.objects.all()
    permission_classes = [MaySubmit]
    serializer_class = serializers.OrderSerializer
    pagination_class = NewestFirst
    filter_backends = [KnownFilters]
    filterset_class = OrderFilter
    parser_classes = [BoundedList]

    @override
    def get_renderers(self) -> list[BaseRenderer]:
        """A list of orders may be answered by lines that say how far it is."""
        known = super().get_renderers()
        return [*known, batch_progress.JsonLines()] if self.request.method == "POST" else known

    @override
    def get_serializer_context(self) -> dict[str, Any]:
        asked = getattr(self.request, "query_params", {}).get("include")
        return {**super().get_serializer_context(), serializers.INCLUDED: asked == "alternatives"}

    @extend_schema(
        request={"application/json": SIGNALS},
        parameters=[
            OpenApiParameter(
                KEY,
                location="header",
                description="stands for client_reference: the same is the same order",
            )
        ],
        responses={
            201: _ONE_OR_MANY,
            200: _ONE_OR_MANY,
            422: serializers.OrderSerializer,
        },
    )
    def post(self, request: Request) -> HttpResponseBase:
        if not isinstance(request.data, list):
            return self._one(request, _signal(request))
        signals = _objects(request)
        steps = self._many(signals)
        if batch_progress.is_asked_for(request):
            return batch_progress.answer(steps, len(signals), request)
        return acceptance.finished(steps)

    def _one(self, request: Request, signal: Mapping[str, Any]) -> Response:
        began = timezone.now()
        order = acceptance.accept(signal, context.default())
        shown = serializers.order_row(order) | _warning()
        location = reverse("order-detail", args=[order.pk], request=request)
        return Response(shown, status=_code(order, began), headers={"Location": location})

    def _many(self, signals: list[Mapping[str, Any]]) -> Generator[int, None, Response]:
        began = timezone.now()
        basket = _basket(signals)
        orders = yield from acceptance.accepting(signals, context.default(), basket=basket)
        once = {order.pk: order for order in orders}.values()
        new = sum(order.created_at_real >= began for order in once)
        denied = sum(order.status == OrderStatus.DENIED for order in once)
        shown = {
            "new": new,
            "denied": denied,
            "basket": baskets.shared(orders),
            "orders": self.get_serializer(orders, many=True).data,
        }
        code = status.HTTP_201_CREATED if new else status.HTTP_200_OK
        return Response(shown | _warning(), status=code)


def _basket(signals: Sequence[Mapping[str, Any]]) -> str:
    """For those of a list that name none; an order alone is in none."""
    return baskets.new_name() if len(signals) > 1 else ""


def _code(order: Order, began: datetime) -> int:
    """Of two requests that race with one new reference, both may get 201 for the one order."""
    if order.status == OrderStatus.DENIED:
        return status.HTTP_422_UNPROCESSABLE_ENTITY
    return status.HTTP_201_CREATED if order.created_at_real >= began else status.HTTP_200_OK


def _objects(request: Request) -> list[Mapping[str, Any]]:
    if KEY in request.headers:
        raise ValidationError(
            {KEY: ["is for one order; in a list, give each its client_reference"]}
        )
    if not 1 <= len(request.data) <= MOST_AT_ONCE:
        text = f"a list must hold 1 to {MOST_AT_ONCE:,} orders, got {len(request.data):,}"
        raise ValidationError({"detail": [text]})
    wrong = [index for index, item in enumerate(request.data) if not isinstance(item, dict)]
    if wrong:
        raise ValidationError({str(index): ["must be an object"] for index in wrong})
    return list(request.data)


def _signal(request: Request) -> Mapping[str, Any]:
    if not isinstance(request.data, dict):
        raise ValidationError({"detail": ["the body must be a JSON object, or a list of objects"]})
    signal = dict(request.data)
    if KEY not in request.headers:
        return signal
    key = request.headers[KEY].strip()
    if not key:
        raise ValidationError({KEY: ["must not be empty"]})
    if signal.get("client_reference") not in (None, key):
        given = signal["client_reference"]
        raise ValidationError(
            {"client_reference": [f"is {shown(given)}, but {KEY} is {shown(key)}"]}
        )
    return signal | {"client_reference": key}


def _warning() -> dict[str, str]:
    words = submission.concern()
    return {"warning": words} if words else {}


class OrderDetail(Door, RetrieveAPIView[Order]):
    """The order with the first of its slices, fills and events, and where the rest is."""

    queryset = Order.objects.all()
    permission_classes = [MayRead]
    serializer_class = serializers.OrderDetailSerializer

    @override
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().retrieve(request, *args, **kwargs)
        answer["ETag"] = etag(answer.data["version"])
        return answer


def etag(version: int) -> str:
    """Of an order's terms, for If-Match: it changes when the order is amended, not with a fill."""
    return f'"{version}"'


class _Parts(Door, ListAPIView[Any]):
    permission_classes = [MayRead]
    filter_backends = [KnownFilters]
    pagination_class: type[StrictPages] = OldestFirst

    @override
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        own = desks.visible(Order.objects.only("pk"), request.user)
        get_object_or_404(own, pk=self.kwargs["pk"])
        return super().list(request, *args, **kwargs)

    @override
    def get_queryset(self) -> QuerySet[Any]:
        return self.of(self.kwargs["pk"])

    def of(self, order_id: int) -> QuerySet[Any]:
        raise NotImplementedError


class SliceList(_Parts):
    queryset = Slice.objects.all()
    serializer_class = serializers.SliceSerializer
    pagination_class = BySequence

    @override
    def of(self, order_id: int) -> QuerySet[Any]:
        return queries.slices_of(order_id)


class FillList(_Parts):
    queryset = Fill.objects.all()
    serializer_class = serializers.FillSerializer

    @override
    def of(self, order_id: int) -> QuerySet[Any]:
        return queries.fills_of(order_id)


class EventList(_Parts):
    queryset = OrderEvent.objects.all()
    serializer_class = serializers.EventSerializer

    @override
    def of(self, order_id: int) -> QuerySet[Any]:
        return queries.events_of(order_id)


class OrderControl(Door, GenericAPIView[Order]):
    """Repeating it changes nothing. 409 when the order's status does not allow it."""

    queryset = Order.objects.all()
    permission_classes = [MayCancel]
    serializer_class = serializers.ReasonSerializer
    control = ""

    @extend_schema(responses=serializers.OrderSerializer)
    def post(self, request: Request, pk: int) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        who = request.user.get_username()
        try:
            order = CONTROLS[self.control](pk, by=who, now=clock.now(), **body.validated_data)
        except Order.DoesNotExist:
            raise NotFound(f"no order {pk}") from None
        shown = serializers.OrderSerializer(order).data
        return Response(shown | {"unconfirmed_children": order_controls.unconfirmed(order)})


class TradingStateList(Door, ListAPIView[TradingState]):
    """GET lists the trading states that were ever set. POST sets one and carries it out."""

    queryset = TradingState.objects.all()
    permission_classes = [MayHalt]
    serializer_class = serializers.TradingStateSerializer
    pagination_class = OldestFirst
    filter_backends = [KnownFilters]
    filterset_fields = ("scope", "key", "state")

    @extend_schema(
        request=serializers.StateChangeSerializer, responses=serializers.HaltReportSerializer
    )
    def post(self, request: Request) -> Response:
        return _changed(request, serializers.StateChangeSerializer)


class TradingStateChangeList(Door, ListAPIView[StateChange]):
    """Who changed which trading state, newest first."""

    queryset = StateChange.objects.all()
    serializer_class = serializers.TradingStateChangeSerializer
    pagination_class = NewestFirst
    filter_backends = [KnownFilters]
    filterset_fields = ("scope", "key", "after")


class SetTradingState(Door, GenericAPIView[TradingState]):
    """Halt: no send begins after the answer, and what works in the scope is being cancelled.
    Resume: what was missed is caught up smoothly."""

    queryset = TradingState.objects.all()
    permission_classes = [MayHalt]
    serializer_class = serializers.ScopeSerializer
    state = ""

    @extend_schema(responses=serializers.HaltReportSerializer)
    def post(self, request: Request) -> Response:
        return _changed(request, serializers.ScopeSerializer, state=self.state)


def _changed(request: Request, form: type[serializers.ScopeSerializer], **given: Any) -> Response:
    body = form(data=request.data)
    body.is_valid(raise_exception=True)
    who = request.user.get_username()
    wanted = {**body.validated_data, **given}
    named = {name: wanted[name] for name in ("scope", "key", "state")}
    if not desks.may_set_state(request.user, **named):
        raise PermissionDenied("only accounts of your desks, and only halts unless you are Risk")
    try:
        report = kill_switch.change(**body.validated_data, **given, by=who, now=clock.now())
    except SecondPersonNeeded as error:
        return problem(409, str(error), code="SECOND_PERSON_NEEDED")
    except ValueError as error:
        raise ValidationError({"key": [str(error)]}) from None
    return Response(serializers.HaltReportSerializer(report).data)
