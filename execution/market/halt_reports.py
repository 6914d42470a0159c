"""What market data or a broker report of trading halts, booked beside those that people enter.

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
        known.store()


class _Known:
    """The rows of one source that these reports may concern. A market-wide halt and its end come as
    some thousand reports: the rows are read, and stored, as one set."""

    def __init__(self, source: str, reports: Sequence[HaltReport]) -> None:
        self._source = source
        recent = Q(end_at__isnull=True) | Q(end_at__gte=min(report.at for report in reports))
        rows = MarketHalt.objects.select_for_update().filter(
            recent, source=source, symbol__in={ALL, *(report.symbol for report in reports)}
        )
        self._rows = list(rows.order_by("start_at", "pk"))
        self._latest = {row.symbol: row for row in self._rows}
        self._resumed: list[MarketHalt] = []

    def halt(self, report: HaltReport) -> None:
        if report.level is not None:
            self._halt_all(report, report.level)
        row = self._latest.get(report.symbol)
        if row is None or (row.end_at is not None and row.end_at <= report.at):
            self._begin(report.symbol, report.at, None, report.reason)
        elif row.end_at is None and row.start_at <= report.at:
            row.reason = report.reason[:REASON_MOST]

    def resume(self, report: HaltReport) -> None:
        row = self._latest.get(report.symbol)
        if row is None or row.end_at is not None or report.at <= row.start_at:
            return
        row.end_at = report.at
        self._resumed.append(row)
        log.info("trading resumed", symbol=row.symbol, at=report.at, reason=report.reason)

    def store(self) -> None:
        forgotten = self._forgotten()
        gone = set(map(id, forgotten))  # one that is not stored has nothing else to be told by
        kept = [row for row in self._rows if id(row) not in gone]
        MarketHalt.objects.filter(pk__in=[row.pk for row in forgotten if row.pk]).delete()
        # The end of one halt before the beginning of the symbol's next.
        MarketHalt.objects.bulk_update([row for row in kept if row.pk], ["end_at", "reason"])
        MarketHalt.objects.bulk_create([row for row in kept if not row.pk])

    def _halt_all(self, report: HaltReport, level: int) -> None:
        """At once, as the statuses of some thousand symbols take their time to come. How long it
        lasts is known; each symbol's own halt lasts on until its own resumption."""
        end = _next_day(report.at) if level == LAST_LEVEL else report.at + PAUSE
        row = self._latest.get(ALL)
        if row is None or (row.end_at is not None and row.end_at < report.at):
            self._begin(ALL, report.at, end, f"Market-wide circuit breaker, level {level}")
        elif level == LAST_LEVEL and row.end_at is not None and row.end_at < end:
            row.end_at = end

    def _begin(self, symbol: str, at: datetime, end: datetime | None, reason: str) -> None:
        log.warning("trading halted", symbol=symbol, at=at, reason=reason)
        row = MarketHalt(
            symbol=symbol, start_at=at, end_at=end, reason=reason[:REASON_MOST], source=self._source
        )
        self._latest[symbol] = row
        self._rows.append(row)

    def _forgotten(self) -> list[MarketHalt]:
        """Halts that no order of ours can have met. Dozens of symbols are halted on a day, most of
        which nobody here trades; those are forgotten with their end."""
        if not self._resumed:
            return []
        since = min(row.start_at for row in self._resumed)
        met = Q(status__in=ORDER_LIVE) | Q(finished_at__gte=since)
        symbols = {row.symbol for row in self._resumed}
        ours = Order.objects.filter(met, symbol__in=symbols).values_list("symbol", flat=True)
        traded = set(ours.distinct())
        return [row for row in self._resumed if row.symbol not in traded]


def _next_day(at: datetime) -> datetime:
    return day_begins(exchange_day(at) + timedelta(days=1))
