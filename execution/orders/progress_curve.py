"""What the chart of an order draws: its plan, what was executed, and the prices of both sides."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict, TypeVar

from execution.market.base import MarketData, MarketDataUnavailable, TapeBar
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
    """

    quantity: int
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


def curve(order: Order, market: MarketData, *, now: datetime) -> Curve:
    """A line is empty where nothing is known. Long ones keep evenly spread points and the last."""
    slices = order.slices.order_by("sequence").values_list(*_COLUMNS)
    executions = [Execution(*row) for row in _executions(order)]
    executed, average = running(executions)
    begin = Point(_millis(order.start_at), 0)
    return {
        "quantity": order.quantity,
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
        return market.bars(order.symbol, start.replace(second=0, microsecond=0), min(end, now))
    except MarketDataUnavailable:
        return []


def _point(at: datetime, value: Decimal | float) -> Point:
    return Point(_millis(at), round(float(value), 6))


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
