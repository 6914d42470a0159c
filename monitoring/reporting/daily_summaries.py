"""What a day came to: figures of the orders that ended on an exchange date."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DecimalField,
    ExpressionWrapper,
    F,
    Max,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Abs, Coalesce, TruncDate

from execution.access import desks
from execution.access.desks import Accounts
from execution.domain.exchange_time import exchange_midnight
from execution.domain.lifecycle import ORDER_TERMINAL, OrderStatus
from execution.market.calendar import NEW_YORK
from execution.models import Order
from execution.models.orders import Side
from execution.orders.results import ARRIVAL_KNOWN, ARRIVAL_PRICE
from monitoring.alerting.order_facts import ENDED, FAILED, ended_on
from monitoring.alerting.rules import AlertSeverity, Thresholds
from monitoring.cost_report import stored_days
from monitoring.models import Alert, DailySummary
from monitoring.reporting import quality_score
from monitoring.reporting.aggregates import Tally
from monitoring.trading_days import bounds

MONEY = DecimalField(max_digits=40, decimal_places=12)
EXECUTED = Q(filled_quantity__gt=0)
KNOWN_MID = EXECUTED & ARRIVAL_KNOWN
KNOWN_VWAP = EXECUTED & Q(cost__market_vwap__isnull=False)
PRELIMINARY = EXECUTED & (Q(cost__isnull=True) | Q(cost__due_at_real__isnull=False))
KNOWN_SHORTFALL = Q(cost__delay__isnull=False)


@dataclass(frozen=True, slots=True)
class Day:
    """The figures of one exchange date; `account` is empty for all accounts together."""

    date: date
    account: str
    tally: Tally
    by_algorithm: Mapping[str, Tally]
    alerts: Mapping[str, int]  # raised on the date, by severity

    @property
    def alerts_generated(self) -> int:
        return sum(self.alerts.values())


def of_day(day: date, *, limits: Thresholds, account: str = "", accounts: Accounts = None) -> Day:
    """The figures as the database has them now, of a day that is over or under way; `accounts`:
    those that the reader sees."""
    orders = desks.of_accounts(ended_on(day), accounts)
    raised = desks.of_accounts(_alerts_on(day), accounts)
    if account:
        orders, raised = orders.filter(account=account), raised.filter(account=account)
    by_algorithm = _tallies(orders, "algorithm", limits)
    return Day(
        date=day,
        account=account,
        tally=Tally.total(by_algorithm.values()),
        by_algorithm=by_algorithm,
        alerts=_by_severity(raised),
    )


def tally_of(day: date, *, limits: Thresholds, accounts: Accounts = None) -> Tally:
    """The orders of the accounts together, for who needs neither algorithms nor alerts."""
    orders = desks.of_accounts(ended_on(day), accounts)
    return Tally.total(_tallies(orders, "algorithm", limits).values())


def build_missing(
    now: datetime, *, real_now: datetime, limits: Thresholds
) -> Sequence[DailySummary]:
    """Store the summary of each account and ended date that has orders and lacks one.

    A date has ended when it is over in New York, in every market; today never has. What was
    missed while nobody built is built at the next call. A day whose costs were computed again
    after its summary, because of a late fill, commission or price, is written again, and so is
    one that lacks a measure or a grouping of the cost report. Returns what was built or written
    again.
    """
    stored = DailySummary.objects.select_related("costs").only(
        "account", "date", "built_at_real", "costs__measures"
    )
    by_key = {(summary.account, summary.date): summary for summary in stored}
    written = []
    for account, day, computed in _ended(now):
        before = by_key.get((account, day))
        if before is None:
            summary = build(day, account=account, real_now=real_now, limits=limits)
        elif (computed is not None and computed > before.built_at_real) or not _measured(before):
            summary = _rebuild(before, real_now=real_now, limits=limits)
        else:
            continue
        if summary is not None:
            written.append(summary)
    return written


def build(
    day: date, *, account: str, real_now: datetime, limits: Thresholds
) -> DailySummary | None:
    """Store one summary; None when another process stored it first."""
    values = _columns(of_day(day, limits=limits, account=account), limits) | {
        "built_at_real": real_now
    }
    with transaction.atomic():
        summary, created = DailySummary.objects.get_or_create(
            account=account, date=day, defaults=values
        )
        if not created:
            return None
        stored_days.write(summary)
    return summary


def _rebuild(before: DailySummary, *, real_now: datetime, limits: Thresholds) -> DailySummary:
    values = _columns(of_day(before.date, limits=limits, account=before.account), limits)
    for name, value in (values | {"built_at_real": real_now}).items():
        setattr(before, name, value)
    with transaction.atomic():
        before.save(update_fields=[*values, "built_at_real"])
        stored_days.write(before)
    return before


def _measured(summary: DailySummary) -> bool:
    costs = getattr(summary, "costs", None)
    return costs is not None and costs.measures == stored_days.CONTENTS


def _ended(now: datetime) -> Iterable[tuple[str, date, datetime | None]]:
    """Account, ended date, and when a cost of that day was last computed; oldest first.

    Every order that ever ended is looked at: a day may have been missed long ago.
    """
    midnight = exchange_midnight(now)
    return (
        Order.objects.filter(status__in=ORDER_TERMINAL)
        .annotate(ended=ENDED)
        .filter(ended__lt=midnight)
        .annotate(day=TruncDate("ended", tzinfo=NEW_YORK))
        .values_list("account", "day")
        .annotate(computed=Max("cost__computed_at_real"))
        .order_by("day", "account")
    )


def _alerts_on(day: date) -> Any:
    start, end = bounds(day)
    return Alert.objects.filter(raised_at__gte=start, raised_at__lt=end)


def _by_severity(alerts: Any) -> Mapping[str, int]:
    counts = dict(alerts.order_by().values_list("severity").annotate(count=Count("pk")))
    return {str(level): counts.get(level, 0) for level in AlertSeverity}


def _money(expression: Combinable) -> ExpressionWrapper[Combinable]:
    return ExpressionWrapper(expression, output_field=MONEY)


def _sum(expression: Combinable, *, where: Q | None = None) -> Coalesce:
    return Coalesce(Sum(_money(expression), filter=where), Decimal(0), output_field=MONEY)


def _tallies(orders: Any, by: str, limits: Thresholds) -> Mapping[str, Tally]:
    ended = orders.filter(status__in=ORDER_TERMINAL)
    rows = ended.values(by).annotate(**_sums(limits)).order_by(by)
    return {row.pop(by): Tally(**row) for row in rows}


def _sums(limits: Thresholds) -> Mapping[str, Any]:
    """The expressions of a Tally's fields, in SQL."""
    sign = Case(When(side=Side.SELL, then=Value(-1)), default=Value(1))
    at_mid = F("filled_quantity") * ARRIVAL_PRICE
    at_vwap = F("filled_quantity") * F("cost__market_vwap")
    latest = ExpressionWrapper(
        F("start_at") + (F("end_at") - F("start_at")) * Value(limits.slow_factor),
        output_field=DateTimeField(),
    )
    accepted = ~Q(status=OrderStatus.DENIED)
    estimated = KNOWN_MID & Q(estimated_slippage_bps__isnull=False)
    parts = F("cost__delay") + F("cost__trading") + F("cost__opportunity") + F("cost__fees")
    return {
        "orders": Count("pk"),
        "filled_orders": Count("pk", filter=Q(status=OrderStatus.FILLED)),
        "failed_orders": Count("pk", filter=FAILED),
        "cancelled_orders": Count("pk", filter=Q(status=OrderStatus.CANCELLED)),
        "preliminary_orders": Count("pk", filter=PRELIMINARY),
        "slow_orders": Count("pk", filter=accepted & Q(finished_at__gt=latest)),
        "ordered": Coalesce(Sum("quantity", filter=accepted), 0),
        "volume": Coalesce(Sum("filled_quantity"), 0),
        "value": Coalesce(Sum("filled_notional"), Decimal(0)),
        "commission": Coalesce(Sum("commission"), Decimal(0)),
        "arrival_value": _sum(at_mid, where=KNOWN_MID),
        "arrival_cost": _sum(sign * (F("filled_notional") - at_mid), where=KNOWN_MID),
        "estimated_value": _sum(at_mid, where=estimated),
        "estimated_cost": _sum(
            at_mid * F("estimated_slippage_bps") / Value(10_000), where=estimated
        ),
        "vwap_value": _sum(at_vwap, where=KNOWN_VWAP),
        "vwap_cost": _sum(sign * (F("filled_notional") - at_vwap), where=KNOWN_VWAP),
        "vwap_distance": _sum(Abs(_money(F("filled_notional") - at_vwap)), where=KNOWN_VWAP),
        "paper_value": _sum(F("quantity") * F("decision_price"), where=KNOWN_SHORTFALL),
        "shortfall": _sum(parts, where=KNOWN_SHORTFALL),
    }


def _columns(day: Day, limits: Thresholds) -> dict[str, Any]:
    tally = day.tally
    assessed = quality_score.assess(
        tally, slippage_bps=limits.slippage_bps, vwap_deviation=limits.vwap_deviation
    )
    return {
        "total_executions": tally.orders,
        "filled_orders": tally.filled_orders,
        "failed_orders": tally.failed_orders,
        "total_volume": tally.volume,
        "total_value": tally.value,
        "commission": tally.commission,
        "slippage_bps": tally.slippage_bps,
        "vwap_bps": tally.vwap_bps,
        "shortfall_bps": tally.shortfall_bps,
        "alerts_generated": day.alerts_generated,
        "quality_score": assessed.score,
        "grade": assessed.grade,
        "figures": {
            "preliminary_orders": tally.preliminary_orders,
            "alerts": dict(day.alerts),
            "by_algorithm": {name: _plain(part) for name, part in day.by_algorithm.items()},
            "quality": asdict(assessed),
        },
    }


def _plain(tally: Tally) -> dict[str, int | str]:
    values = asdict(tally)
    return {
        key: f"{value:f}" if isinstance(value, Decimal) else value for key, value in values.items()
    }
