"""The look that is taken every few seconds: what changed, what is late, what must be said.

Looking is idempotent: a finding is one alert however often it is found, so several processes may
look at once, and a look that died is made good by the next.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db.models import Count, Max, Min
from django.db.models.functions import Greatest

from deepstack.config import Config
from execution import broker_links
from execution.domain.lifecycle import (
    ORDER_LIVE,
    ORDER_SENDING,
    SLICE_CLAIMABLE,
    SliceStatus,
)
from execution.market.base import MarketData
from execution.models import (
    BrokerAccount,
    BrokerDifference,
    Order,
    OrderEvent,
    Slice,
    TradingState,
)
from monitoring import alerts, costs, endings, incidents, rules
from monitoring.alert_kinds import OF_ORDERS
from monitoring.channels import configured
from monitoring.facts import gather
from monitoring.models import Alert, ChannelHealth, WatchMark
from monitoring.moment import Moment
from monitoring.rules import ExecutionFacts, Finding, Thresholds

# Events are numbered when written and seen when committed: an older number may appear after a
# newer one. Everything younger than this, longer than any transaction lasts, is read again.
OVERLAP = timedelta(seconds=90)
BATCH = 20_000  # events in one look, so that a long absence is caught up in steps


def look(
    *, moment: Moment, config: Config, limits: Thresholds, market: MarketData
) -> Sequence[Alert]:
    """Judge what changed since the last look and what the clock alone makes late.

    First what the database tells, so that its alerts wait for nobody; then the cost analyses
    that are due, which ask the market, and the rules that need them.
    """
    upto, changed, told = _news(moment)
    service = service_state(moment=moment, config=config, limits=limits)
    raised = list(alerts.raise_all([*told, *service], moment=moment, config=config))
    alerts.end_absent(service, moment=moment, config=config)
    raised += _judged(changed | _late_orders(moment), moment, config, limits)
    costs.note_changes(changed, moment=moment)
    WatchMark.objects.filter(pk=1).update(event_id=Greatest("event_id", upto))

    analysed = costs.compute_due(moment=moment, market=market)
    return [*raised, *_judged(analysed, moment, config, limits)]


def service_state(*, moment: Moment, config: Config, limits: Thresholds) -> list[Finding]:
    """All that is wrong with the service as a whole at this moment: what of it was told before and
    is missing here has ended."""
    return [
        *_halts(),
        *_differences(),
        *_not_compared(moment),
        *_late_slices(moment, limits),
        *_failing_channels(moment, config),
        *_broker_down(moment, config),
    ]


def examine(
    order_id: int, *, moment: Moment, config: Config, limits: Thresholds, market: MarketData
) -> Sequence[Alert]:
    """Judge one order now, its costs included; returns the alerts of what was found."""
    costs.note_changes([order_id], moment=moment)
    costs.compute_now(order_id, moment=moment, market=market)
    return _judged([order_id], moment, config, limits)


def _judged(
    order_ids: Collection[int], moment: Moment, config: Config, limits: Thresholds
) -> list[Alert]:
    """The alerts that stand for the orders; those that are over have ended."""
    if not order_ids:
        return []
    facts = gather(order_ids, now=moment.now, reported=moment.now - limits.reporting)
    found = [finding for each in facts for finding in rules.judge(each, limits)]
    raised = list(alerts.raise_all(found, moment=moment, config=config))
    keys = {finding.key for finding in found}
    by_order = {each.order_id: each for each in facts}
    standing = Alert.objects.filter(
        kind__in=sorted(OF_ORDERS),
        order_id__in=by_order,
        ended_wall__isnull=True,
        raised_wall__lte=moment.wall,
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


def _news(moment: Moment) -> tuple[int, set[int], list[Finding]]:
    """Of the events since the mark: how far they are settled by now, the orders that they are
    about, and what they tell by themselves."""
    mark, _ = WatchMark.objects.get_or_create(pk=1)
    newer = OrderEvent.objects.filter(pk__gt=mark.event_id)
    upto: int | None = newer.order_by("pk")[:BATCH].aggregate(upto=Max("pk"))["upto"]
    if upto is None:
        return mark.event_id, set(), []
    fresh = newer.filter(pk__lte=upto)
    orders = set(fresh.values_list("order_id", flat=True).distinct().order_by())
    settled = fresh.filter(recorded_wall__lt=moment.wall - OVERLAP)
    last: int | None = settled.aggregate(last=Max("pk"))["last"]
    told = fresh.filter(kind__in=incidents.TOLD).select_related("order")
    return last or mark.event_id, orders, [found for event in told if (found := _told(event))]


def _told(event: OrderEvent) -> Finding | None:
    order = event.order
    return incidents.told(
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
        incidents.halted(
            scope=state.scope,
            key=state.key,
            state=state.state,
            reason=state.reason,
            by=state.changed_by,
            since=state.changed_wall,
        )
        for state in states
    ]
    return [finding for finding in found if finding is not None]


def _differences() -> list[Finding]:
    return [
        incidents.differs(
            number=each.pk,
            kind=each.kind,
            subject=each.subject,
            account=each.account,
            symbol=each.symbol,
            words=each.words,
        )
        for each in BrokerDifference.objects.filter(gone_wall__isnull=True)
    ]


def _not_compared(moment: Moment) -> list[Finding]:
    found = [
        incidents.not_compared(
            broker=row.broker,
            account=row.account,
            since=row.failing_wall,
            problem=row.problem,
            now=moment.wall,
        )
        for row in BrokerAccount.objects.filter(failing_wall__isnull=False)
        if row.failing_wall is not None
    ]
    return [finding for finding in found if finding is not None]


def _late_slices(moment: Moment, limits: Thresholds) -> list[Finding]:
    waiting = Slice.objects.filter(
        status__in=sorted(SLICE_CLAIMABLE),
        due_at__lt=moment.now - limits.late,
        order__status__in=sorted(ORDER_SENDING),
    ).aggregate(count=Count("pk"), oldest=Min("due_at"))
    finding = incidents.late_slices(
        count=waiting["count"], oldest_due=waiting["oldest"], now=moment.now, limits=limits
    )
    return [] if finding is None else [finding]


def _failing_channels(moment: Moment, config: Config) -> list[Finding]:
    found = [
        incidents.delivery_failed(
            channel=row.channel,
            since=row.failing_wall,
            refused=row.refused,
            failures=row.failures,
            problem=row.problem,
            now=moment.wall,
        )
        for row in ChannelHealth.objects.filter(
            failing_wall__isnull=False, channel__in=configured(config)
        )
        if row.failing_wall is not None
    ]
    return [finding for finding in found if finding is not None]


def _broker_down(moment: Moment, config: Config) -> list[Finding]:
    trouble = broker_links.trouble(config, now=moment.wall)
    if trouble is None:
        return []
    found = incidents.broker_down(
        broker=trouble.broker,
        address=trouble.address,
        since=trouble.since,
        problem=trouble.reason,
        live_orders=Order.objects.filter(status__in=sorted(ORDER_LIVE)).exists(),
    )
    return [found]
