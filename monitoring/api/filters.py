import django_filters

from execution.api.filters import TrueOrFalse
from monitoring.models import Alert, CostAnalysis, DailySummary


class AlertFilter(django_filters.FilterSet):
    active = TrueOrFalse(
        field_name="acknowledged_wall", lookup_expr="isnull", label="Not acknowledged yet"
    )
    since = django_filters.IsoDateTimeFilter(field_name="raised_at", lookup_expr="gte")
    symbol = django_filters.CharFilter(field_name="order__symbol")

    class Meta:
        model = Alert
        fields = ["severity", "kind", "account", "order"]


class SummaryFilter(django_filters.FilterSet):
    since = django_filters.DateFilter(field_name="date", lookup_expr="gte")
    until = django_filters.DateFilter(field_name="date", lookup_expr="lte")

    class Meta:
        model = DailySummary
        fields = ["account"]


class CostFilter(django_filters.FilterSet):
    account = django_filters.CharFilter(field_name="order__account")
    symbol = django_filters.CharFilter(field_name="order__symbol")
    algorithm = django_filters.CharFilter(field_name="order__algorithm")

    class Meta:
        model = CostAnalysis
        fields: list[str] = []
