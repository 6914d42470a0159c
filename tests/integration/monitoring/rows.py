"""Rows as execution writes them, and a tape to hold them against."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from deepstack.config import Config
from execution.market import market_data
from execution.market.base import vwap
from execution.market.replay import ReplayMarket
from execution.models import Bar, Fill, Order, OrderEvent, Slice
from monitoring.alerting import thresholds
from monitoring.alerting.rules import Thresholds
from monitoring.clocks import Moment

D = Decimal
# A Monday, 11:00 in New York.
NOON = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
NOW = Moment(now=NOON, real_now=NOON)
CONFIG = Config()
LIMITS: Thresholds = thresholds.of(CONFIG, NOW)

_number = count(1)


def after(moment: Moment, **span: float) -> Moment:
    step = timedelta(**span)
    return Moment(now=moment.now + step, real_now=moment.real_now + step, speed=moment.speed)


def store_order(**changes: Any) -> Order:
    """An order of 100 AAPL that was bought within the last half hour, unless changed."""
    values: dict[str, Any] = {
        "account": "main",
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": 100,
        "urgency": "NORMAL",
        "algorithm": "TWAP",
        "start_at": NOON - timedelta(minutes=40),
        "end_at": NOON - timedelta(minutes=10),
        "created_at": NOON - timedelta(minutes=40),
        "finished_at": NOON - timedelta(minutes=10),
        "seed": 1,
        "status": "FILLED",
        "decision_price": D("150"),
        "decision_within_collar": True,
        "arrival_bid": D("149.99"),
        "arrival_ask": D("150.01"),
        "estimated_slippage_bps": 4.0,
    }
    order = Order.objects.create(**{**values, **changes})
    add_event(order, "ORDER_STATUS", to=order.status)
    return order


def add_event(order: Order, kind: str, **data: Any) -> OrderEvent:
    return OrderEvent.objects.create(order=order, kind=kind, data=data, at=order.created_at)


def filled(price: str, *, quantity: int = 100, commission: str = "1", **changes: Any) -> Order:
    """An order with one fill of the whole quantity at the price."""
    order = store_order(
        **{
            "quantity": quantity,
            "filled_quantity": quantity,
            "filled_notional": quantity * D(price),
            "commission": D(commission),
            **changes,
        }
    )
    part = child(order, status="FILLED", filled_quantity=order.filled_quantity)
    Fill.objects.create(
        order=order,
        slice=part,
        broker="paper",
        account=order.account,
        execution_id=f"x{next(_number)}",
        quantity=order.filled_quantity,
        price=D(price),
        commission=D(commission),
        executed_at=order.end_at,
    )
    return order


def bought(cost_bps: int, **changes: Any) -> Order:
    """A fill so many basis points above the VWAP of the process's own market, which was the mid
    at arrival, too."""
    bars = market_data().bars("AAPL", NOON - timedelta(minutes=40), NOON - timedelta(minutes=10))
    mid = vwap(bars)
    assert mid is not None
    mid = round(mid, 4)
    price = mid * (1 + D(cost_bps) / 10_000)
    return filled(f"{price:.6f}", **{"arrival_bid": mid, "arrival_ask": mid, **changes})


def failed(status: str = "REJECTED", **changes: Any) -> Order:
    return store_order(**{"status": status, "status_reason": "BUYING_POWER", **changes})


def working(**changes: Any) -> Order:
    return store_order(
        **{
            "status": "WORKING",
            "finished_at": None,
            "end_at": NOON + timedelta(minutes=20),
            **changes,
        }
    )


def child(order: Order, **changes: Any) -> Slice:
    values: dict[str, Any] = {
        "order": order,
        "sequence": order.slices.count(),
        "due_at": order.start_at,
        "end_at": order.end_at,
        "planned_quantity": order.quantity,
        "cumulative_quantity": order.quantity,
        "client_order_id": f"c{next(_number)}",
    }
    return Slice.objects.create(**{**values, **changes})


def store_tape(
    price: str, *, volume: int = 1_000, minutes: int = 60, symbol: str = "AAPL"
) -> ReplayMarket:
    """One-minute bars at one price, from `minutes` before NOON until ten minutes after it."""
    Bar.objects.bulk_create(
        Bar(
            symbol=symbol,
            start_at=NOON + timedelta(minutes=minute),
            open=D(price),
            high=D(price),
            low=D(price),
            close=D(price),
            volume=volume,
            vwap=D(price),
        )
        for minute in range(-minutes, 10)
    )
    return replay()


def replay() -> ReplayMarket:
    """The market of the bars that are stored. Its calendar is read once a process, which may take
    longer than one turn of the cost analysis lasts."""
    market = ReplayMarket(CONFIG)
    market.session(NOON)
    return market
