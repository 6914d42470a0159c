"""What the operations page shows at one moment: few queries, however many orders there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max

from deepstack import redis_check
from execution import heartbeat
from execution.access import desks
from execution.access.desks import Accounts
from execution.broker import links
from execution.domain.exchange_time import exchange_day, exchange_time, short_time
from execution.domain.lifecycle import SLICE_AT_BROKER
from execution.models import Fill, Heartbeat, Slice, TradingState
from monitoring.alerting import thresholds
from monitoring.alerting.rules import AlertSeverity
from monitoring.clocks import Moment
from monitoring.models import ACTIVE, Alert, EventCursor
from monitoring.operations.live_orders import LiveOrder, live_orders
from monitoring.reporting import daily_summaries
from monitoring.reporting.aggregates import Tally

BEAT_MISSING_AFTER = 30.0  # seconds without an evaluation of alerts, which beat asks for


# One question in place of three; each is answered by an index.
_LAST_SEEN = f"""
SELECT (SELECT evaluated_at_real FROM {EventCursor._meta.db_table} LIMIT 1),
       (SELECT max(executed_at) FROM {Fill._meta.db_table}),
       (SELECT count(*) FROM {Slice._meta.db_table} WHERE status = ANY(%s))
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The last evaluation of alerts (real time), the last execution, children at the broker."""

    evaluated: datetime | None
    execution: datetime | None
    at_broker: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the service: whether it works, and what there is to say."""

    name: str
    ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    at: str  # exchange time
    moment: datetime
    orders: Sequence[LiveOrder]
    more_orders: bool
    today: Tally
    alerts: Mapping[str, int]  # active, by severity
    health: Sequence[Part]
    unconfirmed: int | None  # children the broker may still execute; None unless halted


def take(moment: Moment, states: Sequence[TradingState], accounts: Accounts = None) -> Snapshot:
    """`accounts`: those that the reader sees."""
    orders, more = live_orders(moment.now, accounts)
    limits = thresholds.of(settings.CONFIG, moment)
    seen = _last_seen(accounts)
    return Snapshot(
        at=exchange_time(moment.now),
        moment=moment.now,
        orders=orders,
        more_orders=more,
        today=daily_summaries.tally_of(exchange_day(moment.now), limits=limits, accounts=accounts),
        alerts=active_alerts(accounts),
        health=health(moment, seen),
        unconfirmed=seen.at_broker if _halted(states) else None,
    )


def active_alerts(accounts: Accounts = None) -> Mapping[str, int]:
    rows = (
        desks.of_accounts(Alert.objects.filter(ACTIVE), accounts).order_by().values_list("severity")
    )
    counts = dict(rows.annotate(n=Count("pk")))
    return {str(level): counts.get(level, 0) for level in reversed(AlertSeverity)}


def health(moment: Moment, seen: LastSeen) -> Sequence[Part]:
    """PostgreSQL is well where this returns at all."""
    redis_trouble = redis_check.trouble()
    return [
        *_processes(),
        _beat(seen.evaluated, moment.real_now),
        Part("PostgreSQL", True, "answers"),
        Part("Redis", not redis_trouble, redis_trouble or "takes writes"),
        _broker(moment.real_now),
        _last_execution(seen.execution, moment.now),
    ]


def _processes() -> Sequence[Part]:
    details: dict[str, list[Mapping[str, object]]] = {}
    for kind, detail in heartbeat.seen_lately().values_list("kind", "detail"):
        details.setdefault(kind, []).append(detail)
    named = {"Workers": Heartbeat.Kind.WORKER, "Dispatcher": Heartbeat.Kind.DISPATCH}
    return [_process(name, details.get(kind, [])) for name, kind in named.items()]


def _process(name: str, details: Sequence[Mapping[str, object]]) -> Part:
    troubles = [str(each[heartbeat.TROUBLE]) for each in details if each.get(heartbeat.TROUBLE)]
    fit = len(details) - len(troubles)
    words = f"{fit} of {len(details)} can work" if details else "none seen for 5 s"
    return Part(name, fit > 0, "; ".join([words, *troubles]))


def _beat(looked: datetime | None, real_now: datetime) -> Part:
    """Beat has the alerts evaluated every few seconds, which leaves its time."""
    if looked is None:
        return Part("Beat", False, "no alerts evaluated yet")
    age = (real_now - looked).total_seconds()
    return Part("Beat", age < BEAT_MISSING_AFTER, f"alerts evaluated {max(age, 0):,.0f} s ago")


def _broker(real_now: datetime) -> Part:
    trouble = links.trouble(settings.CONFIG, now=real_now)
    if trouble is None:
        live = settings.CONFIG.trading_mode == "live"
        return Part("Broker", True, f"{settings.CONFIG.live_broker} up" if live else "paper")
    return Part("Broker", False, f"{trouble.broker}: {trouble.reason}")


def _last_execution(last: datetime | None, now: datetime) -> Part:
    return Part("Last execution", True, short_time(last, now) if last else "none yet")


def _last_seen(accounts: Accounts) -> LastSeen:
    if accounts is not None:
        fills = desks.of_accounts(Fill.objects.all(), accounts)
        working = Slice.objects.filter(status__in=sorted(SLICE_AT_BROKER))
        return LastSeen(
            EventCursor.objects.values_list("evaluated_at_real", flat=True).first(),
            fills.aggregate(last=Max("executed_at"))["last"],
            desks.of_accounts(working, accounts).count(),
        )
    with connection.cursor() as cursor:
        cursor.execute(_LAST_SEEN, [sorted(SLICE_AT_BROKER)])
        return LastSeen(*cursor.fetchone())


def _halted(states: Sequence[TradingState]) -> bool:
    return any(row.state == TradingState.State.HALTED for row in states)
