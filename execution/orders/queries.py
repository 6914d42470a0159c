"""What people and programs read about orders: the same answers for API, admin and command line.

Each function costs the same few queries for one order and for many.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, QuerySet, Sum

from execution.domain.algorithms import registry
from execution.domain.costs import slippage_bps
from execution.domain.lifecycle import SLICE_AT_BROKER, SLICE_TERMINAL, OrderStatus
from execution.market.base import MarketData, MarketDataUnavailable, since, vwap
from execution.models import Fill, Order, OrderEvent, Slice
from execution.models.orders import LEAVES
from execution.orders.results import (
    ExecutionResult,
    arrival_price,
    average_price,
    result_of,
    typical_vwap_deviation_bps,
)

PRICE_STEP = Decimal("0.000001")
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Tracking:
    """An order against the market's VWAP from `since` until `until`, its window so far.

    Prices per share; `deviation_bps` is the own average against the market, + is a cost;
    `typical_bps` how large that is, either way, of an order that goes well. None is unknown.
    `preliminary`: later bars of the window may change it.
    """

    since: datetime
    until: datetime
    market_vwap: Decimal | None
    average: Decimal | None
    deviation_bps: float | None
    typical_bps: float | None
    preliminary: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """An order under way. Prices per share; `benchmark` is the market VWAP of the window so far
    for TWAP, VWAP and POV, else the arrival mid; `left` is the trading time until the end.
    `typical_bps` as `Tracking` has it."""

    order: Order
    slices_done: int
    average: Decimal | None
    benchmark: Decimal | None
    benchmark_name: str
    left: timedelta
    typical_bps: float | None = None

    @property
    def against_benchmark_bps(self) -> float | None:
        """+ is a cost."""
        return cost_bps(self.order, self.benchmark)


@dataclass(frozen=True, slots=True)
class Working:
    """Child orders that the broker may still execute, and the shares they may execute."""

    children: int
    shares: int


class Report(ExecutionResult):
    """The result and how it compares with the market: `market_vwap` is that of the order's
    window, `vwap_slippage_bps` the average price against it, + is a cost. `preliminary`: the
    order is live, or the last bar of its window is not complete yet, and both may change."""

    market_vwap: Decimal | None
    vwap_slippage_bps: float | None
    preliminary: bool


def report(order: Order, market: MarketData, *, now: datetime) -> Report:
    """Market figures for TWAP, VWAP, POV; None for the others, and where the market is silent."""
    seen = tracking(order, market, now=now)
    return {
        **result_of(order),
        "market_vwap": seen.market_vwap if seen else None,
        "vwap_slippage_bps": seen.deviation_bps if seen else None,
        "preliminary": is_preliminary(order, now),
    }


def tracking(order: Order, market: MarketData, *, now: datetime) -> Tracking | None:
    """None for an algorithm that is not judged against the VWAP, and where nothing was begun."""
    if not _is_tracked(order, now):
        return None
    return _tracking(order, market_vwap(order, market, now=now), now)


def is_preliminary(order: Order, now: datetime) -> bool:
    """Whether the market's figures of the order's window may change: until it has ended, its last
    minute's bar is complete, and a minute more has passed for that bar to arrive."""
    if not order.is_terminal:
        return True
    _, end = window(order)
    last = end.replace(second=0, microsecond=0)
    complete = last if last == end else last + MINUTE
    return now < complete + MINUTE


def trackings(orders: Iterable[Order], market: MarketData, *, now: datetime) -> dict[int, Tracking]:
    """By order, of those that are tracked. A market that falls silent is not asked again."""
    found: dict[int, Tracking] = {}
    with suppress(MarketDataUnavailable):
        for order in orders:
            if _is_tracked(order, now):
                found[order.pk] = _tracking(order, _vwap_of_window(order, market, now), now)
    return found


def _is_tracked(order: Order, now: datetime) -> bool:
    judged = registry.of(order.algorithm).vwap_benchmark
    return judged and order.status != OrderStatus.DENIED and window(order)[0] < now


def _tracking(order: Order, price: Decimal | None, now: datetime) -> Tracking:
    since, end = window(order)
    average = average_price(order)
    return Tracking(
        since=since,
        until=min(end, now),
        market_vwap=None if price is None else price.quantize(PRICE_STEP),
        average=None if average is None else average.quantize(PRICE_STEP),
        deviation_bps=cost_bps(order, price),
        typical_bps=typical_vwap_deviation_bps(order),
        preliminary=is_preliminary(order, now),
    )


def orders(ids: Iterable[int]) -> list[Order]:
    """In the order of the ids; those that do not exist are left out."""
    wanted = list(ids)
    found = Order.objects.in_bulk(wanted)
    return [found[pk] for pk in wanted if pk in found]


def working_children(ids: Iterable[int]) -> Mapping[int, Working]:
    """By order, of those that have any."""
    at_broker = Slice.objects.filter(order__in=list(ids), status__in=sorted(SLICE_AT_BROKER))
    rows = at_broker.order_by().values_list("order").annotate(n=Count("pk"), shares=Sum(LEAVES))
    return {order: Working(children, shares or 0) for order, children, shares in rows}


def progress(ids: Sequence[int], market: MarketData, *, now: datetime) -> list[Progress]:
    found = orders(ids)
    done = dict(
        Slice.objects.filter(order__in=ids, status__in=SLICE_TERMINAL)
        .values_list("order")
        .annotate(n=Count("pk"))
        .order_by()
    )
    return [_progress(order, done.get(order.pk, 0), market, now) for order in found]


def _progress(order: Order, done: int, market: MarketData, now: datetime) -> Progress:
    judged = registry.of(order.algorithm).vwap_benchmark
    seen = tracking(order, market, now=now)
    vwap_so_far = seen.market_vwap if seen else None
    return Progress(
        order=order,
        slices_done=done,
        average=average_price(order),
        benchmark=vwap_so_far if judged else arrival_price(order),
        benchmark_name="VWAP" if judged else "arrival",
        typical_bps=seen.typical_bps if seen else None,
        left=max(order.end_at - now, timedelta(0)) if not order.is_terminal else timedelta(0),
    )


def market_vwap(order: Order, market: MarketData, *, now: datetime) -> Decimal | None:
    """The market's VWAP over the order's window, as far as it is known by `now`.

    The window ends with the last possible share: at the fill of the last one, or when the order
    ended. Bars that overlap it count, that of the arrival in part, as in the cost analysis. None
    where the market has not traded or says nothing.
    """
    try:
        return _vwap_of_window(order, market, now)
    except MarketDataUnavailable:
        return None


def _vwap_of_window(order: Order, market: MarketData, now: datetime) -> Decimal | None:
    start, end = window(order)
    bars = market.bars(order.symbol, start.replace(second=0, microsecond=0), min(end + MINUTE, now))
    return vwap(since([bar for bar in bars if bar.start < end], start))


def window(order: Order) -> tuple[datetime, datetime]:
    """The start of the order and the moment of its last possible share."""
    finished = order.finished_at or order.end_at
    done = order.status in (OrderStatus.FILLED, OrderStatus.OVERFILLED)
    end = finished if done else min(finished, order.end_at)
    return min(order.start_at, end), end


def cost_bps(order: Order, benchmark: Decimal | None) -> float | None:
    """The average price against a benchmark, + is a cost; None where either is missing."""
    average = average_price(order)
    if average is None or not benchmark:
        return None
    return slippage_bps(order.side_sign, average, benchmark)


def slices_by_status(order_id: int) -> Mapping[str, int]:
    rows = Slice.objects.filter(order=order_id).values_list("status")
    return dict(rows.annotate(n=Count("pk")).order_by("status"))


def slices_of(order_id: int) -> QuerySet[Slice]:
    return Slice.objects.filter(order=order_id).order_by("sequence")


def fills_of(order_id: int) -> QuerySet[Fill]:
    return Fill.objects.filter(order=order_id).select_related("slice").order_by("pk")


def events_of(order_id: int) -> QuerySet[OrderEvent]:
    """Every event of the order, in the order in which they were written."""
    found = OrderEvent.objects.filter(order=order_id).order_by("pk")
    return found.select_related("slice", "order")
