"""Alerts, days and figures over HTTP; each view makes one call."""

import datetime as dt

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from typing_extensions import override

from execution.access import desks
from execution.api.filters import NewestFirst, StrictPages, refuse_unknown
from monitoring.alerting import alerts
from monitoring.api import filters, serializers
from monitoring.api.permissions import AcknowledgesAlerts, SeesAlerts
from monitoring.clocks import Moment
from monitoring.models import Alert, BreakerTrip, CostAnalysis, DailySummary
from monitoring.monitor import ExecutionMonitor

ACCOUNT = OpenApiParameter("account", OpenApiTypes.STR, description="empty: all accounts")
DATE = OpenApiParameter("date", OpenApiTypes.DATE, description="by default today, so far")


class NewestOrderFirst(StrictPages):
    ordering = "-order_id"


class LastDayFirst(StrictPages):
    ordering = ("-date", "account")

    @override
    def _fits(self, position: str) -> bool:
        try:
            return bool(dt.date.fromisoformat(position))
        except ValueError:
            return False


class AlertViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Alert]
):
    queryset = Alert.objects.select_related("order").prefetch_related("deliveries")
    serializer_class = serializers.AlertSerializer
    filterset_class = filters.AlertFilter
    pagination_class = NewestFirst

    @extend_schema(request=serializers.NoteSerializer, responses=serializers.AlertSerializer)
    @action(detail=True, methods=["post"], permission_classes=[AcknowledgesAlerts])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Mark the alert as seen by the caller, with a note; whoever was first stays."""
        body = serializers.NoteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        alert = self.get_object()
        by = request.user.get_username()
        alerts.acknowledge([alert.pk], by=by, moment=Moment.read(), **body.validated_data)
        alert.refresh_from_db()
        return Response(self.get_serializer(alert).data)


class BreakerTripViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[BreakerTrip]):
    """What the circuit breakers hold and have held, newest first."""

    queryset = BreakerTrip.objects.all()
    serializer_class = serializers.BreakerTripSerializer
    pagination_class = NewestFirst
    filterset_fields = ("breaker", "scope", "key", "account")


class SummaryViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[DailySummary]):
    """The list has the stored days; one date is computed from the orders as they are now."""

    queryset = DailySummary.objects.all()
    serializer_class = serializers.DailySummarySerializer
    filterset_class = filters.SummaryFilter
    pagination_class = LastDayFirst
    lookup_field = "date"
    lookup_value_regex = r"[^/]+"

    @extend_schema(
        parameters=[OpenApiParameter("date", OpenApiTypes.DATE, "path"), ACCOUNT],
        responses=serializers.SummarySerializer,
    )
    def retrieve(self, request: Request, date: str) -> Response:
        account, day = _asked(request, {"account"}, date=date)
        summary = _monitor(request, account).get_daily_summary(day)
        return Response(serializers.SummarySerializer(summary).data)


class CostViewSet(viewsets.ReadOnlyModelViewSet[CostAnalysis]):
    """The cost analysis of orders, addressed by the order's id."""

    queryset = CostAnalysis.objects.select_related("order")
    serializer_class = serializers.CostSerializer
    filterset_class = filters.CostFilter
    pagination_class = NewestOrderFirst


class DashboardView(APIView):
    permission_classes = [SeesAlerts]

    @extend_schema(parameters=[ACCOUNT], responses=serializers.DashboardSerializer)
    def get(self, request: Request) -> Response:
        account, _ = _asked(request, {"account"})
        dashboard = _monitor(request, account).get_performance_dashboard()
        return Response(serializers.DashboardSerializer(dashboard).data)


class QualityView(APIView):
    permission_classes = [SeesAlerts]

    @extend_schema(parameters=[ACCOUNT, DATE], responses=serializers.QualitySerializer)
    def get(self, request: Request) -> Response:
        account, day = _asked(request, {"account", "date"})
        score = _monitor(request, account).get_execution_quality_score(day)
        return Response(serializers.QualitySerializer(score).data)


def _monitor(request: Request, account: str) -> ExecutionMonitor:
    own = desks.accounts_of(request.user)
    if account and own is not None and account not in own:
        raise PermissionDenied(f"{account} is not of your desks")
    return ExecutionMonitor(account=account, accounts=own)


def _asked(request: Request, known: set[str], **given: str) -> tuple[str, dt.date | None]:
    """The account (empty: all) and day (None: today) of a request; a wrong one, or a parameter that
    is not `known`, is a 400."""
    refuse_unknown(request, known | {"format"})
    query = serializers.DayQuery(data={**request.query_params.dict(), **given})
    query.is_valid(raise_exception=True)
    return query.validated_data.get("account", ""), query.validated_data.get("date")
