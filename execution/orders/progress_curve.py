"""What the chart of an order draws: its plan, what was executed, and the prices of both sides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any, NamedTuple, TypedDict, TypeVar

from django.db import connection

from execution.market.base import MarketData, MarketDataUnavailable, TapeBar, since
from execution.models import Fill, Order
from execution.orders.queries import window

MOST_POINTS = 1_000  # of one line
T = TypeVar("T")


class Point(NamedTuple):
    """`x` in milliseconds since 1970, `y` in shares or as a price per share."""

    x: int
    y: float


class Curve(TypedDict):
    """`planned` and `executed` are shares so far; `average` is the order's own average price,
    `vwap` the market's since the order's start, `limits` those of the children by when they left.
    `until`: the order's end in milliseconds, as planned or as it was.
    """

    quantity: int
    until: int
    planned: list[Point]
    executed: list[Point]
    fills: list[Point]
    average: list[Point]
    vwap: list[Point]
    limits: list[Point]


class Execution(NamedTuple):
    at: datetime
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Shape:
    """An order's curve in few figures: shares of its quantity, 0 to 1, at the ends of equal parts
    of its window, of which `gone` are over. Executions count at the due time of their slice."""

    planned: Sequence[float]
    executed: Sequence[float]
    gone: int


PARTS = 24
# A slice that was replaced before it was sent is no part of the plan any more.
_SHAPES = """
SELECT s.order_id,
       width_bucket(extract(epoch FROM s.due_at), extract(epoch FROM o.start_at),
                    extract(epoch FROM o.end_at), %s) AS part,
       max(s.cumulative_quantity) FILTER (WHERE s.status <> 'CANCELLED' OR s.attempt > 0),
       sum(s.filled_quantity)
FROM execution_slice s JOIN execution_order o ON o.id = s.order_id
WHERE s.order_id = ANY(%s) AND o.end_at > o.start_at
GROUP BY 1, 2 ORDER BY 1, 2
"""


def shapes(orders: Iterable[Order], *, now: datetime) -> dict[int, Shape]:
    """By order, of those that have slices. One query."""
    by_id = {order.pk: order for order in orders}
    with connection.cursor() as cursor:
        cursor.execute(_SHAPES, [PARTS, list(by_id)])
        rows = cursor.fetchall()
    found: dict[int, list[tuple[int, int, int]]] = {}
    for order_id, part, planned, filled in rows:
        found.setdefault(order_id, []).append((part, planned or 0, filled))
    return {pk: shape(by_id[pk], parts, now=now) for pk, parts in found.items()}


def shape(order: Order, parts: Iterable[tuple[int, int, int]], *, now: datetime) -> Shape:
    """`parts`: number (from 1), planned shares so far and shares executed in it, in their order."""
    planned, executed = [0] * PARTS, [0] * PARTS
    for part, cumulative, filled in parts:
        place = min(max(part, 1), PARTS) - 1
        planned[place] = max(planned[place], cumulative)
        executed[place] += filled
    whole = max(order.quantity, 1)
    length = (order.end_at - order.start_at) / PARTS
    gone = PARTS if order.is_terminal else int((now - order.start_at) / length)
    return Shape(
        [min(shares / whole, 1.0) for shares in accumulate(planned, max)],
        [min(shares / whole, 1.0) for shares in accumulate(executed)],
        min(max(gone, 0), PARTS),
    )


def curve(order: Order, market: MarketData, *, now: datetime) -> Curve:
    """A line is empty where nothing is known. Long ones keep evenly spread points and the last."""
    slices = order.slices.order_by("sequence").values_list(*_COLUMNS)
    executions = [Execution(*row) for row in _executions(order)]
    executed, average = running(executions)
    begin = Point(_millis(order.start_at), 0)
    return {
        "quantity": order.quantity,
        "until": _millis(order.finished_at or order.end_at),
        "planned": thinned([begin, *(_point(due, sum_) for due, sum_, _, _ in slices)]),
        "executed": thinned([begin, *executed]) if executed else [],
        "fills": thinned([_point(each.at, each.price) for each in executions]),
        "average": thinned(average),
        "vwap": thinned(market_vwap(_bars(order, market, now))),
        "limits": thinned([_point(sent, limit) for _, _, sent, limit in slices if sent and limit]),
    }


def running(executions: Iterable[Execution]) -> tuple[list[Point], list[Point]]:
    """Shares executed so far, and their average price; oldest first."""
    shares, paid = 0, Decimal(0)
    executed, average = [], []
    for at, quantity, price in executions:
        shares += quantity
        paid += quantity * price
        executed.append(_point(at, shares))
        average.append(_point(at, paid / shares))
    return executed, average


def market_vwap(bars: Iterable[TapeBar]) -> list[Point]:
    """sum(price * volume) / sum(volume) at the end of each bar; nothing before the first trade."""
    volume, paid = 0, Decimal(0)
    points = []
    for bar in bars:
        volume += bar.volume
        paid += bar.vwap * bar.volume
        if volume:
            points.append(_point(bar.end, paid / volume))
    return points


def thinned(points: Sequence[T], most: int = MOST_POINTS) -> list[T]:
    """At most so many, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(index * step)] for index in range(most)]


_COLUMNS = ("due_at", "cumulative_quantity", "sent_at", "limit_price")


def _executions(order: Order) -> Any:
    """One that the broker took back whole has no shares."""
    found = Fill.objects.filter(order=order.pk, quantity__gt=0).order_by("executed_at", "pk")
    return found.values_list("executed_at", "quantity", "price")


def _bars(order: Order, market: MarketData, now: datetime) -> Sequence[TapeBar]:
    """Of the order's window so far; none where the market is silent."""
    start, end = window(order)
    try:
        bars = market.bars(order.symbol, start.replace(second=0, microsecond=0), min(end, now))
    except MarketDataUnavailable:
        return []
    return since(bars, start)


def _point(at: datetime, value: Decimal | float) -> Point:
    return Point(_millis(at), round(float(value), 6))


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
