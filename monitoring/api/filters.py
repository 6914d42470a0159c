import django_filters
from django.db.models import QuerySet

from execution.api.filters import MomentFilter, TickerFilter, TrueOrFalse
from monitoring.models import ACTIVE, Alert, CostAnalysis, DailySummary


class AlertFilter(django_filters.FilterSet):
    active = TrueOrFalse(method="by_activity", label="Neither acknowledged nor ended")
    since = MomentFilter(field_name="raised_at", lookup_expr="gte")
    symbol = TickerFilter(field_name="order__symbol")

    class Meta:
        model = Alert
        fields = ["severity", "kind", "account", "order"]

    def by_activity(self, alerts: QuerySet[Alert], name: str, active: bool) -> QuerySet[Alert]:
        return alerts.filter(ACTIVE) if active else alerts.exclude(ACTIVE)


class SummaryFilter(django_filters.FilterSet):
    since = django_filters.DateFilter(field_name="date", lookup_expr="gte")
    until = django_filters.DateFilter(field_name="date", lookup_expr="lte")

    class Meta:
        model = DailySummary
        fields = ["account"]


class CostFilter(django_filters.FilterSet):
    account = django_filters.CharFilter(field_name="order__account")
    symbol = TickerFilter(field_name="order__symbol")
    algorithm = django_filters.CharFilter(field_name="order__algorithm")

    class Meta:
        model = CostAnalysis
        fields: list[str] = []
