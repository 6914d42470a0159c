"""The evaluation that runs every second: what changed, what is late, what must be said.

It is idempotent: a finding is one alert however often it is found, so several processes may
evaluate at once, and an evaluation that died is made good by the next.
"""

import socket
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.db.models import Count, Min, Q

from deepstack.config import Config
from deepstack.database.sessions import is_away
from execution import heartbeat
from execution.access import second_factor
from execution.broker import links
from execution.domain.lifecycle import (
    ORDER_LIVE,
    ORDER_REFUSED,
    ORDER_SENDING,
    SLICE_CLAIMABLE,
    SliceStatus,
)
from execution.entry import free_space
from execution.market.base import MarketData
from execution.models import (
    BrokerAccount,
    BrokerDifference,
    Order,
    OrderEvent,
    Slice,
    TradingState,
)
from execution.risk import kill_switch, second_person
from monitoring.alerting import alerts, endings, process_rules, rules, system_rules, unread_events
from monitoring.alerting.alert_kinds import OF_ORDERS
from monitoring.alerting.order_facts import gather
from monitoring.alerting.rules import ExecutionFacts, Finding, Thresholds
from monitoring.breakers import trips
from monitoring.channels import configured
from monitoring.clocks import Moment
from monitoring.models import Alert, ChannelHealth
from monitoring.reporting import cost_analysis, late_benchmarks
from monitoring.webhooks.sending import channel_of

log = structlog.get_logger(__name__)

AT_ONCE = 500  # orders that are judged together, so that their alerts wait for no others
# What a halt has held has been due for as long; the dispatch loop enqueues it at its next ticks.
AFTER_A_HALT = timedelta(seconds=10)


def evaluate(
    *, moment: Moment, config: Config, limits: Thresholds, market: MarketData
) -> Sequence[Alert]:
    """Judge what changed since the last evaluation and what the clock alone makes late.

    First what the database shows, so that its alerts wait for nobody; then the cost analyses
    that are due, which ask the market, and the rules that need them.
    """
    raised = [*notice(moment=moment, config=config, limits=limits)]
    trips.watch_losses(market, moment=moment, config=config)
    analysed = cost_analysis.compute_due(moment=moment, market=market)
    late_benchmarks.complete(moment=moment, market=market)
    return [*raised, *_judged(analysed, moment, config, limits)]


def notice(*, moment: Moment, config: Config, limits: Thresholds) -> Sequence[Alert]:
    """What the database alone shows: events that raise an alert by themselves, then the orders,
    those with the newest events first."""
    heard = unread_events.read()
    findings = [finding for event in heard.alerting if (finding := _in_event(event))]
    service = service_state(moment=moment, config=config, limits=limits)
    raised = list(alerts.raise_all([*findings, *service], moment=moment, config=config))
    alerts.end_absent(service, moment=moment, config=config)
    orders = list(dict.fromkeys([*heard.orders, *_late_orders(moment)]))
    for first in range(0, len(orders), AT_ONCE):
        few = orders[first : first + AT_ONCE]
        raised += _judged(few, moment, config, limits)
        cost_analysis.note_changes(few, moment=moment)
    trips.watch(heard.orders, moment=moment, config=config)
    heard.note_read()
    return raised


def service_state(*, moment: Moment, config: Config, limits: Thresholds) -> list[Finding]:
    """All that is wrong with the service as a whole at this moment: what of it was told before and
    is missing here has ended."""
    return [
        *_halts(),
        *_proposals(config),
        *_resets(moment),
        *trips.findings(),
        *_differences(),
        *_not_compared(moment, config),
        *_late_slices(moment, limits),
        *_failing_channels(moment, config),
        *_broker_down(moment, config),
        *_processes(),
        *_disks(config),
    ]


def examine(
    order_id: int, *, moment: Moment, config: Config, limits: Thresholds, market: MarketData
) -> Sequence[Alert]:
    """Judge one order now, its costs included; returns the alerts of what was found."""
    cost_analysis.note_changes([order_id], moment=moment)
    cost_analysis.compute_now(order_id, moment=moment, market=market)
    return _judged([order_id], moment, config, limits)


def _judged(
    order_ids: Sequence[int], moment: Moment, config: Config, limits: Thresholds
) -> list[Alert]:
    """The alerts that stand for the orders; those that are over have ended. An order that cannot
    be judged keeps no other from it."""
    try:
        return _judged_together(order_ids, moment, config, limits) if order_ids else []
    except Exception as error:
        if is_away(error):
            raise
        if len(order_ids) == 1:
            log.exception("an order cannot be judged", order_id=order_ids[0])
            return []
    half = len(order_ids) // 2
    halves = (order_ids[:half], order_ids[half:])
    return [alert for few in halves for alert in _judged(few, moment, config, limits)]


def _judged_together(
    order_ids: Sequence[int], moment: Moment, config: Config, limits: Thresholds
) -> list[Alert]:
    facts = gather(order_ids, now=moment.now, reported=moment.now - limits.reporting)
    found = [finding for each in facts for finding in rules.judge(each, limits)]
    raised = list(alerts.raise_all(found, moment=moment, config=config))
    keys = {finding.key for finding in found}
    by_order = {each.order_id: each for each in facts}
    standing = Alert.objects.filter(
        kind__in=sorted(OF_ORDERS),
        order_id__in=by_order,
        ended_at_real__isnull=True,
        raised_at_real__lte=moment.real_now,
    ).exclude(dedupe_key__in=keys)
    over = [
        alert
        for alert in standing
        if alert.order_id and _is_over(alert, by_order[alert.order_id], limits)
    ]
    alerts.end_all(over, moment=moment, config=config)
    return raised


def _is_over(alert: Alert, facts: ExecutionFacts, limits: Thresholds) -> bool:
    return endings.is_over(alert.kind, alert.dedupe_key, alert.data, facts, limits)


def _in_event(event: OrderEvent) -> Finding | None:
    order = event.order
    return system_rules.of_event(
        event.kind,
        event.data,
        order_id=order.pk,
        name=rules.label(order.pk, order.side, order.quantity, order.symbol, order.algorithm),
        account=order.account,
    )


def _late_orders(moment: Moment) -> set[int]:
    """Live orders past their end, and those with a child of unknown outcome."""
    overdue = Order.objects.filter(status__in=sorted(ORDER_LIVE), end_at__lt=moment.now)
    unknown = Slice.objects.filter(status=SliceStatus.UNKNOWN)
    return {
        *overdue.values_list("pk", flat=True),
        *unknown.values_list("order_id", flat=True).distinct(),
    }


def _halts() -> list[Finding]:
    states = TradingState.objects.exclude(state=TradingState.State.ACTIVE)
    found = [
        system_rules.halted(
            scope=state.scope,
            key=state.key,
            state=state.state,
            reason=state.reason,
            by=state.changed_by,
            since=state.changed_at_real,
        )
        for state in states
    ]
    return [finding for finding in found if finding is not None]


def _proposals(config: Config) -> list[Finding]:
    if not config.controls.four_eyes:
        return []
    return [
        system_rules.approval_wanted(
            number=each.pk,
            subject=each.subject,
            by=each.proposed_by,
            reason=each.reason,
            until=each.expires_at_real,
        )
        for each in second_person.waiting()
    ]


def _resets(moment: Moment) -> list[Finding]:
    return [
        system_rules.second_factor_reset(
            number=each.pk, user=each.user, by=each.changed_by, reason=each.reason
        )
        for each in second_factor.not_enrolled_since_reset(moment.real_now)
    ]


def _differences() -> list[Finding]:
    return [
        system_rules.differs(
            number=each.pk,
            kind=each.kind,
            subject=each.subject,
            account=each.account,
            symbol=each.symbol,
            words=each.words,
        )
        for each in BrokerDifference.objects.filter(gone_at_real__isnull=True)
    ]


def _not_compared(moment: Moment, config: Config) -> list[Finding]:
    """A broker that cannot be reached at all has an alert of its own (`_broker_down`)."""
    reachable = links.trouble(config, now=moment.real_now) is None
    found = [
        system_rules.not_compared(
            broker=row.broker,
            account=row.account,
            since=row.failing_since_real,
            problem=row.problem,
            orders_wait=reachable and _had_orders(row.account, row.failing_since_real),
            now=moment.real_now,
        )
        for row in BrokerAccount.objects.filter(failing_since_real__isnull=False)
        if row.failing_since_real is not None
    ]
    return [finding for finding in found if finding is not None]


def _had_orders(account: str, since: datetime) -> bool:
    """Whether any was live at some moment since: an alert about them outlasts their end."""
    lately = Q(status__in=sorted(ORDER_LIVE)) | Q(finished_at__gte=since)
    return Order.objects.filter(lately, account=account).exclude(status__in=ORDER_REFUSED).exists()


def _processes() -> list[Finding]:
    """What the living processes say of themselves."""
    rows = heartbeat.seen_lately().order_by("kind", "process")
    signs = [process_rules.Sign.read(row.kind, row.process, row.detail) for row in rows]
    return process_rules.judge(signs)


def _disks(config: Config) -> list[Finding]:
    """Of the machine that evaluates: where several do, each disk is seen by those on its own."""
    found = [
        system_rules.disk_low(
            machine=socket.gethostname(),
            folder=str(space.folder),
            free=space.free,
            share=space.share,
            low=config.disk.low,
            least=config.disk.least_free,
        )
        for space in free_space.measured(config)
    ]
    return [finding for finding in found if finding is not None]


def _late_slices(moment: Moment, limits: Thresholds) -> list[Finding]:
    overdue = Slice.objects.filter(
        status__in=sorted(SLICE_CLAIMABLE),
        due_at__lt=moment.now - limits.late,
        order__status__in=sorted(ORDER_SENDING),
    )
    held = kill_switch.waiting(lifted_since=moment.real_now - AFTER_A_HALT)
    waiting = overdue.exclude(held).aggregate(count=Count("pk"), oldest=Min("due_at"))
    finding = system_rules.late_slices(
        count=waiting["count"], oldest_due=waiting["oldest"], now=moment.now, limits=limits
    )
    return [] if finding is None else [finding]


def _failing_channels(moment: Moment, config: Config) -> list[Finding]:
    found = [
        system_rules.delivery_failed(
            channel=row.channel,
            since=row.failing_since_real,
            refused=row.refused,
            failures=row.failures,
            problem=row.problem,
            now=moment.real_now,
        )
        for row in ChannelHealth.objects.filter(
            failing_since_real__isnull=False,
            channel__in=[*configured(config), *map(channel_of, config.webhooks.receivers)],
        )
        if row.failing_since_real is not None
    ]
    return [finding for finding in found if finding is not None]


def _broker_down(moment: Moment, config: Config) -> list[Finding]:
    trouble = links.trouble(config, now=moment.real_now)
    if trouble is None:
        return []
    found = system_rules.broker_down(
        broker=trouble.broker,
        address=trouble.address,
        since=trouble.since,
        problem=trouble.reason,
        live_orders=Order.objects.filter(status__in=sorted(ORDER_LIVE)).exists(),
    )
    return [found]
