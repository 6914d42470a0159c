"""The monitor as a script sees it. Every method may be called inside a coroutine as well."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from operator import index
from typing import Any

from deepstack import django_setup

django_setup.ensure()

from django.db.models import Count, Sum  # noqa: E402

from deepstack.config import Config, current  # noqa: E402
from deepstack.sync_bridge import off_loop  # noqa: E402
from execution.access import desks  # noqa: E402
from execution.access.desks import Accounts  # noqa: E402
from execution.domain import reading  # noqa: E402
from execution.domain.exchange_time import exchange_day  # noqa: E402
from execution.domain.lifecycle import ORDER_LIVE  # noqa: E402
from execution.market import market_data  # noqa: E402
from execution.models import Order  # noqa: E402
from monitoring.alerting import surveillance, thresholds  # noqa: E402
from monitoring.alerting.rules import AlertSeverity, Thresholds  # noqa: E402
from monitoring.clocks import Moment  # noqa: E402
from monitoring.models import ACTIVE, Alert  # noqa: E402
from monitoring.reporting import daily_summaries, quality_score  # noqa: E402
from monitoring.reporting.daily_summaries import Day  # noqa: E402
from monitoring.reporting.payloads import (  # noqa: E402
    Dashboard,
    Live,
    QualityScore,
    Summary,
    figures,
)
from monitoring.trading_days import readable  # noqa: E402

__all__ = ["AlertSeverity", "ExecutionMonitor"]


class ExecutionMonitor:
    """Alerts and figures over what is stored; a threshold not given is the configuration's.

    `account` limits the figures and the active alerts to one account, `accounts` to those that the
    reader sees. ValueError: a threshold that is not a number above zero.
    """

    def __init__(
        self,
        *,
        slippage_threshold_bps: float | None = None,
        vwap_deviation_threshold: float | None = None,
        failed_order_threshold: int | None = None,
        account: str = "",
        accounts: Accounts = None,
        config: Config | None = None,
    ) -> None:
        self._config = current() if config is None else config
        self._config.execution.monitoring.rebuilt()  # a copy may never have been checked
        self._account = account
        self._accounts = accounts
        self._own: dict[str, Any] = {}
        if slippage_threshold_bps is not None:
            self._own["slippage_bps"] = _positive("slippage_threshold_bps", slippage_threshold_bps)
        if vwap_deviation_threshold is not None:
            own = _positive("vwap_deviation_threshold", vwap_deviation_threshold)
            self._own |= {"vwap_deviation": own, "deviation_of_vwap_orders": own}
        if failed_order_threshold is not None:
            self._own["failed_orders"] = _whole("failed_order_threshold", failed_order_threshold)

    @off_loop
    def monitor_execution(self, result: Mapping[str, Any]) -> Sequence[Alert]:
        """Judge one execution and store its alerts; returns those that stand for it.

        `result` is what `route_order` or `execute` returned. Only its `order_id` is used: the
        order's row says what happened. ValueError without one, LookupError when it is not stored.
        """
        order_id = _order_id(result)
        if not Order.objects.filter(pk=order_id).exists():
            raise LookupError(f"order_id {order_id}: no such order is stored")
        moment = Moment.read()
        return surveillance.examine(
            order_id,
            moment=moment,
            config=self._config,
            limits=self._limits(moment),
            market=market_data(),
        )

    @off_loop
    def get_active_alerts(self, severity: AlertSeverity | str | None = None) -> Sequence[Alert]:
        """Alerts that nobody has acknowledged and that have not ended, newest first."""
        active = self._active().select_related("order").order_by("-id")
        if severity is not None:
            active = active.filter(severity=_severity(severity))
        return list(active)

    @off_loop
    def get_daily_summary(self, date: dt.date | str | None = None) -> Summary:
        """The figures of one exchange date, as `YYYY-MM-DD` or a date; by default today so far."""
        moment = Moment.read()
        return self._summary(self._figures(_day(date, moment), moment))

    @off_loop
    def get_performance_dashboard(self) -> Dashboard:
        moment = Moment.read()
        today = self._figures(exchange_day(moment.now), moment)
        return {
            "today": self._summary(today),
            "active_alerts": self._alert_counts(),
            "live": self._live(),
            "quality": self._quality(today, moment),
        }

    @off_loop
    def get_execution_quality_score(self, date: dt.date | str | None = None) -> QualityScore:
        """The score of one exchange date, by default of today so far; see `quality.assess`."""
        moment = Moment.read()
        return self._quality(self._figures(_day(date, moment), moment), moment)

    def _limits(self, moment: Moment) -> Thresholds:
        return replace(thresholds.of(self._config, moment), **self._own)

    def _figures(self, day: dt.date, moment: Moment) -> Day:
        return daily_summaries.of_day(
            day, limits=self._limits(moment), account=self._account, accounts=self._accounts
        )

    def _active(self) -> Any:
        active = desks.of_accounts(Alert.objects.filter(ACTIVE), self._accounts)
        return active.filter(account__in=["", self._account]) if self._account else active

    def _alert_counts(self) -> Mapping[str, int]:
        counts = dict(self._active().order_by().values_list("severity").annotate(count=Count("pk")))
        by_level = {level.lower(): counts.get(level.value, 0) for level in AlertSeverity}
        return {"total": sum(by_level.values()), **by_level}

    def _live(self) -> Live:
        live = desks.of_accounts(
            Order.objects.filter(status__in=sorted(ORDER_LIVE)), self._accounts
        )
        if self._account:
            live = live.filter(account=self._account)
        sums = live.aggregate(
            orders=Count("pk"), ordered=Sum("quantity"), executed=Sum("filled_quantity")
        )
        return {
            "orders": sums["orders"],
            "ordered": int(sums["ordered"] or 0),
            "executed": int(sums["executed"] or 0),
        }

    def _summary(self, day: Day) -> Summary:
        return {
            "date": day.date,
            "account": day.account,
            **figures(day.tally),
            "alerts_generated": day.alerts_generated,
            "alerts": day.alerts,
            "by_algorithm": {name: figures(part) for name, part in day.by_algorithm.items()},
        }

    def _quality(self, day: Day, moment: Moment) -> QualityScore:
        limits = self._limits(moment)
        assessed = quality_score.assess(
            day.tally, slippage_bps=limits.slippage_bps, vwap_deviation=limits.vwap_deviation
        )
        return {
            "quality_score": assessed.score,
            "grade": assessed.grade,
            "breakdown": assessed.breakdown,
            "unknown": list(assessed.unknown),
            "executions": assessed.executions,
            "date": day.date,
        }


def _order_id(result: Any) -> int:
    try:
        return index(result["order_id"])
    except (KeyError, TypeError):
        given = result.get("order_id") if hasattr(result, "get") else result
        raise ValueError(
            f"order_id: a result of route_order with its whole number is needed, got {given!r}"
        ) from None


def _day(value: dt.date | str | None, moment: Moment) -> dt.date:
    if value is None:
        return exchange_day(moment.now)
    try:
        return readable(value)
    except ValueError as error:
        raise ValueError(f"date: {error}") from None


def _severity(value: AlertSeverity | str) -> AlertSeverity:
    try:
        return AlertSeverity(value)
    except ValueError:
        allowed = ", ".join(AlertSeverity)
        raise ValueError(f"severity: one of {allowed} is needed, got {value!r}") from None


def _positive(name: str, value: float) -> Decimal:
    found = reading.number(value)
    if found is None or found <= 0:
        raise ValueError(f"{name}: a number above 0 is needed, got {reading.shown(value)}")
    return found


def _whole(name: str, value: int) -> int:
    try:
        found: int = reading.whole(1_000_000)(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return found
