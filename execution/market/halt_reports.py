"""What a source of market data reports of trading halts, booked beside those that people enter.

A report ends only what its own source has begun: a halt that a person entered, a person ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q

from execution.domain.exchange_time import day_begins, exchange_day
from execution.domain.lifecycle import ORDER_LIVE
from execution.market.trading_halts import ALL
from execution.models import MarketHalt, Order

log = structlog.get_logger(__name__)

# After the levels 1 and 2 of the market-wide circuit breaker nothing trades for 15 minutes, after
# level 3 for the rest of the day (NYSE Rule 7.12).
PAUSE = timedelta(minutes=15)
LAST_LEVEL = 3
REASON_MOST = MarketHalt._meta.get_field("reason").max_length or 0


@dataclass(frozen=True, slots=True)
class HaltReport:
    """`level`: of the market-wide circuit breaker that halts every other symbol, too."""

    symbol: str
    at: datetime
    halted: bool
    reason: str
    level: int | None = None


def book(reports: Sequence[HaltReport], source: str) -> None:
    """In the order in which they came. What is repeated changes nothing, nor does what is older
    than what is known: a halt that has ended does not begin again."""
    with transaction.atomic():
        known = _Known(source, reports)
        for report in reports:
            if report.halted:
                known.halt(report)
            else:
                known.resume(report)


class _Known:
    """The rows of one source that these reports may concern."""

    def __init__(self, source: str, reports: Sequence[HaltReport]) -> None:
        self._source = source
        recent = Q(end_at__isnull=True) | Q(end_at__gte=min(report.at for report in reports))
        rows = MarketHalt.objects.select_for_update().filter(
            recent, source=source, symbol__in={ALL, *(report.symbol for report in reports)}
        )
        self._latest = {row.symbol: row for row in rows.order_by("start_at", "pk")}

    def halt(self, report: HaltReport) -> None:
        if report.level is not None:
            self._halt_all(report, report.level)
        row = self._latest.get(report.symbol)
        if row is None or (row.end_at is not None and row.end_at <= report.at):
            self._begin(report.symbol, report.at, None, report.reason)
        elif row.end_at is None and row.start_at <= report.at:
            self._say(row, report.reason)

    def resume(self, report: HaltReport) -> None:
        row = self._latest.get(report.symbol)
        if row is None or row.end_at is not None or report.at <= row.start_at:
            return
        row.end_at = report.at
        log.info("trading resumed", symbol=row.symbol, at=report.at, reason=report.reason)
        if _mattered(row):
            row.save(update_fields=["end_at"])
        else:
            row.delete()

    def _halt_all(self, report: HaltReport, level: int) -> None:
        """At once, as the statuses of some thousand symbols take their time to come. How long it
        lasts is known; each symbol's own halt lasts on until its own resumption."""
        end = _next_day(report.at) if level == LAST_LEVEL else report.at + PAUSE
        row = self._latest.get(ALL)
        if row is None or (row.end_at is not None and row.end_at < report.at):
            self._begin(ALL, report.at, end, f"Market-wide circuit breaker, level {level}")
        elif level == LAST_LEVEL and row.end_at is not None and row.end_at < end:
            row.end_at = end
            row.save(update_fields=["end_at"])

    def _begin(self, symbol: str, at: datetime, end: datetime | None, reason: str) -> None:
        log.warning("trading halted", symbol=symbol, at=at, reason=reason)
        self._latest[symbol] = MarketHalt.objects.create(
            symbol=symbol, start_at=at, end_at=end, reason=reason[:REASON_MOST], source=self._source
        )

    def _say(self, row: MarketHalt, reason: str) -> None:
        if row.reason != (told := reason[:REASON_MOST]):
            row.reason = told
            row.save(update_fields=["reason"])


def _mattered(row: MarketHalt) -> bool:
    """Whether an order of ours may have met it. Dozens of symbols are halted on a day, most of
    which nobody here trades; those are forgotten with their end."""
    met = Q(status__in=ORDER_LIVE) | Q(finished_at__gte=row.start_at)
    return Order.objects.filter(met, symbol=row.symbol).exists()


def _next_day(at: datetime) -> datetime:
    return day_begins(exchange_day(at) + timedelta(days=1))
