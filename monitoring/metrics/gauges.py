"""Gauges: how things stand now. Each is one query that a partial index bounds, or one call."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Min
from django.db.models.functions import Now
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from deepstack.config import Config
from execution import heartbeat
from execution.domain.event_kinds import SENT
from execution.domain.lifecycle import ORDER_LIVE, SLICE_CLAIMABLE, SliceStatus
from execution.models import (
    BrokerDifference,
    BrokerLink,
    Heartbeat,
    Order,
    OrderEvent,
    Slice,
    TradingState,
)
from monitoring.clocks import Moment
from monitoring.models import ACTIVE, Alert, AlertDelivery, ChannelHealth, CostAnalysis

QUEUES = ("slices", "settle", "reports")
REDIS_SECONDS = 1.0
OVERDUE = timedelta(seconds=5)  # of trading time
COSTS_OF = timedelta(hours=1)  # of trading time

Values = Mapping[Any, float]  # by the values of the labels, a tuple of text


def _gauge(name: str, text: str, labels: Iterable[str], values: Values) -> Metric:
    family = GaugeMetricFamily(f"deepstack_{name}", text, labels=list(labels))
    for at, value in values.items():
        family.add_metric(list(at), value)
    return family


def _open_orders(moment: Moment, config: Config) -> Iterable[Metric]:
    live = Order.objects.filter(status__in=sorted(ORDER_LIVE))
    found = dict(live.values_list("status").annotate(n=Count("pk")))
    values = {(status.value,): found.get(status, 0) for status in sorted(ORDER_LIVE)}
    yield _gauge("open_orders", "Parent orders that have not ended", ["status"], values)


def _slices(moment: Moment, config: Config) -> Iterable[Metric]:
    late = moment.now - OVERDUE * moment.speed
    overdue = Slice.objects.filter(status__in=sorted(SLICE_CLAIMABLE), due_at__lt=late)
    n = overdue.filter(order__status__in=["ACCEPTED", "WORKING"]).count()
    text = "Slices due for more than 5 s that nobody has claimed"
    yield _gauge("slices_overdue", text, [], {(): n})
    unknown = Slice.objects.filter(status=SliceStatus.UNKNOWN).count()
    text = "Slices of which nobody knows yet whether the broker has them"
    yield _gauge("slices_outcome_unknown", text, [], {(): unknown})


def _costs(moment: Moment, config: Config) -> Iterable[Metric]:
    ended = CostAnalysis.objects.filter(
        order__finished_at__gt=moment.now - COSTS_OF, order__finished_at__lte=moment.now
    )
    rows = ended.values_list("order__algorithm").annotate(n=Count("pk"), bps=Avg("arrival_bps"))
    found = list(rows)
    text = "Average slippage against arrival of orders ended within an hour, + is a cost"
    known = {(algorithm,): float(bps) for algorithm, _, bps in found if bps is not None}
    yield _gauge("slippage_bps", text, ["algorithm"], known)
    text = "Orders that ended within an hour and have a cost analysis"
    yield _gauge("slippage_orders", text, ["algorithm"], {(each,): n for each, n, _ in found})


def _alerts(moment: Moment, config: Config) -> Iterable[Metric]:
    found = dict(Alert.objects.filter(ACTIVE).values_list("severity").annotate(n=Count("pk")))
    values = {(level,): found.get(level, 0) for level in ("INFO", "WARNING", "CRITICAL")}
    yield _gauge("alerts_active", "Alerts that stand unacknowledged", ["severity"], values)
    pending = AlertDelivery.objects.filter(state=AlertDelivery.State.PENDING)
    waiting = {(name,): n for name, n in pending.values_list("channel").annotate(n=Count("pk"))}
    yield _gauge("alert_deliveries_pending", "Alerts on their way", ["channel"], waiting)
    failing = {(row.channel,): float(row.failures) for row in ChannelHealth.objects.all()}
    text = "Deliveries that failed since the channel's last success"
    yield _gauge("alert_channel_failures", text, ["channel"], failing)


def _processes(moment: Moment, config: Config) -> Iterable[Metric]:
    alive = dict(heartbeat.seen_lately().values_list("kind").annotate(n=Count("pk")))
    values = {(kind,): alive.get(kind, 0) for kind in Heartbeat.Kind.values}
    yield _gauge("processes_alive", "Processes seen within 5 s", ["kind"], values)
    silence = ExpressionWrapper(Now() - F("seen_at_real"), output_field=DurationField())
    ages = Heartbeat.objects.values_list("kind").annotate(age=Min(silence))
    seconds = {(kind,): max(age.total_seconds(), 0.0) for kind, age in ages}
    text = "Since the last sign of life of any process of the kind"
    yield _gauge("heartbeat_age_seconds", text, ["kind"], seconds)


def _broker(moment: Moment, config: Config) -> Iterable[Metric]:
    links = {(row.broker,): float(row.up) for row in BrokerLink.objects.order_by("seen_at")}
    yield _gauge("broker_link_up", "1 while the connection is up", ["broker"], links)
    sent = OrderEvent.objects.order_by().filter(
        kind__in=[kind.value for kind in SENT], recorded_at_real__gt=Now() - timedelta(minutes=1)
    )
    accounts = {
        (name,): n for name, n in sent.values_list("order__account").annotate(n=Count("pk"))
    }
    text = "Child orders that left within a minute"
    yield _gauge("messages_last_minute", text, ["account"], accounts)
    bound = config.limits.max_messages_per_minute
    text = "What limits.max_messages_per_minute allows each account; absent where it is not set"
    yield _gauge("messages_limit", text, [], {} if bound is None else {(): bound})


def _controls(moment: Moment, config: Config) -> Iterable[Metric]:
    stopped = TradingState.objects.exclude(state=TradingState.State.ACTIVE)
    rows = stopped.values_list("scope", "state").annotate(n=Count("pk"))
    text = "Scopes in which trading is halted or reduced"
    yield _gauge("trading_stopped", text, ["scope", "state"], {(a, b): n for a, b, n in rows})
    breaks = BrokerDifference.objects.filter(gone_at_real__isnull=True)
    kinds = {
        (account, kind): n
        for account, kind, n in breaks.values_list("account", "kind").annotate(n=Count("pk"))
    }
    text = "Reconciliation breaks that stand"
    yield _gauge("reconciliation_breaks", text, ["account", "kind"], kinds)


def _queues(moment: Moment, config: Config) -> Iterable[Metric]:
    text = "Messages in Redis that no worker has taken"
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as client:
            depths: Values = {(name,): float(client.llen(name)) for name in QUEUES}
    except redis.RedisError:
        depths = {}
    yield _gauge("redis_up", "1 when Redis answers", [], {(): float(bool(depths))})
    yield _gauge("queue_depth", text, ["queue"], depths)


GAUGES: tuple[Callable[[Moment, Config], Iterable[Metric]], ...] = (
    _open_orders,
    _slices,
    _costs,
    _alerts,
    _processes,
    _broker,
    _controls,
    _queues,
)
