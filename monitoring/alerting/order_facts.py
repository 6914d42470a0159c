"""The facts of orders, read from what execution wrote."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Coalesce

from execution.booking.execution_reports import UNKNOWN_AFTER
from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import exchange_day
from execution.domain.lifecycle import (
    ORDER_REFUSED,
    ORDER_SENDING,
    OrderStatus,
    SliceStatus,
    has_failed,
)
from execution.models import Order, OrderEvent, Slice
from execution.orders.results import arrival_price, average_price, typical_vwap_deviation_bps
from execution.risk import kill_switch
from monitoring.alerting.rules import ExecutionFacts
from monitoring.reporting import tca
from monitoring.trading_days import bounds

# An order that was refused never finished: it ended when it was made.
ENDED = Coalesce("finished_at", "created_at")
# `lifecycle.has_failed` in SQL.
FAILED = Q(status__in=sorted(ORDER_REFUSED)) | Q(status=OrderStatus.EXPIRED, filled_quantity=0)

Group = tuple[str, str, date]


def ended_on(day: date) -> QuerySet[Order]:
    """Orders, live ones included, whose end or else whose creation is on the exchange date."""
    start, end = bounds(day)
    return Order.objects.annotate(ended=ENDED).filter(ended__gte=start, ended__lt=end)


def ended_day(order: Order) -> date:
    return exchange_day(order.finished_at or order.created_at)


def gather(
    order_ids: Collection[int], *, now: datetime, reported: datetime | None = None
) -> Sequence[ExecutionFacts]:
    """The facts of the orders, by id; an id that is not stored has none. Executions until
    `reported`, by default `now`, are known."""
    orders = list(Order.objects.filter(pk__in=order_ids).select_related("cost").order_by("pk"))
    failures = _failures(orders)
    refused, unknown = _children(order_ids)
    unconfirmed = _unconfirmed(order_ids)
    pauses = _pauses(orders)
    scheduled = _scheduled(orders, reported or now)
    states = kill_switch.all_in_force() if scheduled else ()
    return [
        _facts(
            order,
            now=now,
            failed_today=failures.get((order.account, order.strategy, ended_day(order))),
            rejected_children=refused.get(order.pk, 0),
            unknown_since=unknown.get(order.pk),
            unconfirmed_since=unconfirmed.get(order.pk),
            pause=pauses.get(order.pk),
            scheduled=scheduled.get(order.pk),
            halted=order.pk in scheduled and bool(kill_switch.applies(states, order)),
        )
        for order in orders
    ]


def _facts(
    order: Order,
    *,
    now: datetime,
    failed_today: int | None,
    rejected_children: int,
    unknown_since: datetime | None,
    unconfirmed_since: datetime | None,
    pause: int | None,
    scheduled: int | None,
    halted: bool,
) -> ExecutionFacts:
    average = average_price(order)
    cost = getattr(order, "cost", None)
    return ExecutionFacts(
        order_id=order.pk,
        account=order.account,
        strategy=order.strategy,
        symbol=order.symbol,
        side=order.side,
        algorithm=order.algorithm,
        status=OrderStatus(order.status),
        reason=order.status_reason,
        quantity=order.quantity,
        filled=order.filled_quantity,
        day=ended_day(order).isoformat(),
        start_at=order.start_at,
        end_at=order.end_at,
        finished_at=order.finished_at,
        now=now,
        average_price=average,
        market_vwap=cost.market_vwap if cost else None,
        typical_vwap_deviation_bps=typical_vwap_deviation_bps(order),
        asked_vwap_deviation=_asked(order),
        slippage_bps=tca.cost_bps(order.side_sign, average, arrival_price(order)),
        estimated_slippage_bps=order.estimated_slippage_bps,
        failed_today=failed_today,
        rejected_children=rejected_children,
        unknown_since=unknown_since,
        unconfirmed_since=unconfirmed_since,
        pause=pause,
        scheduled=scheduled,
        halted=halted,
    )


def _asked(order: Order) -> Decimal | None:
    asked = order.parameters.get("vwap_deviation_threshold")
    return None if asked is None else Decimal(str(asked))


def _failures(orders: Iterable[Order]) -> dict[Group, int]:
    """Failures by account, strategy and day, of the days on which one of the orders failed."""
    days = {ended_day(order) for order in orders if has_failed(order.status, order.filled_quantity)}
    counts: dict[Group, int] = {}
    for day in days:
        rows = ended_on(day).filter(FAILED).values_list("account", "strategy")
        for account, strategy, count in rows.annotate(count=Count("pk")).order_by():
            counts[account, strategy, day] = count
    return counts


def _pauses(orders: Iterable[Order]) -> dict[int, int]:
    """The event that paused each order which is paused."""
    paused = [order.pk for order in orders if order.status == OrderStatus.PAUSED]
    if not paused:
        return {}
    events = OrderEvent.objects.filter(
        order_id__in=paused, kind=EventKind.ORDER_STATUS, data__to=OrderStatus.PAUSED
    )
    return dict(events.values_list("order_id").annotate(last=Max("pk")).order_by())


def _scheduled(orders: Iterable[Order], upto: datetime) -> dict[int, int]:
    """How many shares each live order should have by the slices that are over by `upto`."""
    live = [order.pk for order in orders if order.status in ORDER_SENDING]
    if not live:
        return {}
    over = Slice.objects.filter(order_id__in=live, end_at__lte=upto)
    reached = Max(Coalesce("aimed_quantity", "cumulative_quantity"))
    return dict(over.values_list("order_id").annotate(reached=reached).order_by())


def _children(order_ids: Collection[int]) -> tuple[dict[int, int], dict[int, datetime]]:
    """By order: how many children the broker refused, and when the oldest unknown one left."""
    rows = (
        Slice.objects.filter(
            order_id__in=order_ids, status__in=[SliceStatus.REJECTED, SliceStatus.UNKNOWN]
        )
        .values_list("order_id")
        .annotate(
            refused=Count("pk", filter=Q(status=SliceStatus.REJECTED)),
            unknown=Min(Coalesce("sent_at", "due_at"), filter=Q(status=SliceStatus.UNKNOWN)),
        )
    )
    found = list(rows.order_by())
    return (
        {order_id: refused for order_id, refused, _ in found},
        {order_id: since for order_id, _, since in found if since is not None},
    )


def _unconfirmed(order_ids: Collection[int]) -> dict[int, datetime]:
    """By order: when a child whose cancel is not confirmed, or whose executions are missing, had
    been asked about too often."""
    events = OrderEvent.objects.filter(
        order_id__in=order_ids,
        kind=EventKind.OUTCOME_UNKNOWN,
        slice__status__in=[SliceStatus.WORKING, SliceStatus.CANCELLING],
        slice__check_at_real__isnull=False,
        slice__checks__gte=UNKNOWN_AFTER,
    )
    return dict(events.values_list("order_id").annotate(since=Min("at")).order_by())
