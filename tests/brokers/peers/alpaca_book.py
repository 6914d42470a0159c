"""The exchange behind the Alpaca peer: orders, fills and money, with no network in it.

What the refusals say is worded like Alpaca's own answers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

OPEN = {"new", "partially_filled", "accepted", "pending_new", "pending_cancel", "held"}
PENNY, SMALL_STEP = Decimal("0.01"), Decimal("0.0001")
CLOCK = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass
class Refused(Exception):
    status: int
    code: int
    message: str
    more: dict[str, object] = field(default_factory=dict)


@dataclass
class Order:
    body: dict[str, object]
    seen_from: datetime  # a look-up by client id finds it from then on
    id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "pending_new"
    filled: int = 0
    notional: Decimal = Decimal(0)
    stamps: dict[str, str] = field(default_factory=dict)
    replaced_by: str | None = None

    @property
    def client_order_id(self) -> str:
        return str(self.body["client_order_id"])

    @property
    def quantity(self) -> int:
        return int(str(self.body["qty"]))

    @property
    def limit(self) -> Decimal:
        return Decimal(str(self.body["limit_price"]))

    def as_json(self) -> dict[str, object]:
        average = f"{self.notional / self.filled:f}" if self.filled else None
        empty = dict.fromkeys(("filled_at", "expired_at", "canceled_at", "failed_at"))
        return {
            **empty,
            **self.stamps,
            "id": self.id,
            "client_order_id": self.client_order_id,
            "asset_class": "us_equity",
            "asset_id": "904837e3-3b76-47ec-b432-046db621571b",
            "symbol": self.body["symbol"],
            "qty": str(self.quantity),
            "notional": None,
            "filled_qty": str(self.filled),
            "filled_avg_price": average,
            "order_class": "",
            "order_type": "limit",
            "type": "limit",
            "side": self.body["side"],
            "time_in_force": self.body["time_in_force"],
            "limit_price": str(self.limit),
            "extended_hours": self.body.get("extended_hours", False),
            "status": self.status,
            "replaced_by": self.replaced_by,
            "legs": None,
        }


@dataclass
class Book:
    """One account. `tell(event, order, extra)` is called for every change."""

    tell: Callable[[str, Order, dict[str, object]], None]
    skew: timedelta = timedelta(0)
    settle: timedelta = timedelta(0)  # until a new order is found by its client id
    activity_lag: timedelta = timedelta(0)  # until a fill shows among the activities
    hold_cancels: bool = False
    cash: Decimal = Decimal(10_000_000)
    buying_power: Decimal = Decimal(20_000_000)
    positions: dict[str, int] = field(default_factory=dict)
    shorting: bool = True
    flags: dict[str, object] = field(default_factory=dict)  # over those of the account
    orders: dict[str, Order] = field(default_factory=dict)
    by_client_id: dict[str, Order] = field(default_factory=dict)
    activities: list[tuple[datetime, dict[str, object]]] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def place(self, body: dict[str, object]) -> Order:
        body.setdefault("client_order_id", str(uuid4()))
        self._check(body)
        order = Order(body, seen_from=self.now() + self.settle)
        stamp = self.now().strftime(CLOCK)
        order.stamps = {"created_at": stamp, "submitted_at": stamp, "updated_at": stamp}
        self.orders[order.id] = self.by_client_id[order.client_order_id] = order
        return order

    def acknowledge(self, order: Order) -> None:
        if order.status == "pending_new":
            self._become(order, "new", "new")

    def fill(self, order: Order, quantity: int, price: Decimal) -> None:
        """Also an order that has ended: late fills are real. Its status stays then."""
        order.filled += quantity
        order.notional += quantity * price
        if order.filled >= order.quantity:
            order.status = "filled"
            order.stamps["filled_at"] = self.now().strftime(CLOCK)
        elif order.status in OPEN and order.status != "pending_cancel":
            order.status = "partially_filled"
        signed = quantity if order.body["side"] == "buy" else -quantity
        symbol = str(order.body["symbol"])
        self.positions[symbol] = self.positions.get(symbol, 0) + signed
        self.cash -= signed * price
        whole = order.filled >= order.quantity
        self._record(order, quantity, price, "fill" if whole else "partial_fill")

    def cancel(self, order: Order) -> None:
        if order.status not in OPEN:
            word = f'order is already in "{order.status}" state'
            raise Refused(422, 42210000, word)
        self._become(order, "pending_cancel", "pending_cancel")
        if not self.hold_cancels:
            self.end(order, "canceled")

    def end(self, order: Order, status: str, **more: str) -> None:
        """`more`: further fields of the update, such as its reason."""
        stamp = {"canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at"}
        order.stamps[stamp[status]] = self.now().strftime(CLOCK)
        self._become(order, status, status, more)

    def replace(self, order: Order) -> Order:
        """As a person would in Alpaca's own pages: the rest lives on in another order."""
        rest = order.quantity - order.filled
        other = self.place({**order.body, "client_order_id": str(uuid4()), "qty": str(rest)})
        order.replaced_by = other.id
        self._become(order, "replaced", "replaced")
        self.acknowledge(other)
        return other

    def _become(
        self, order: Order, status: str, event: str, more: dict[str, str] | None = None
    ) -> None:
        order.status = status
        order.stamps["updated_at"] = self.now().strftime(CLOCK)
        self.tell(event, order, dict(more or {}))

    def _record(self, order: Order, quantity: int, price: Decimal, kind: str) -> None:
        at = self.now()
        order.stamps["updated_at"] = at.strftime(CLOCK)
        row: dict[str, object] = {
            "id": f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{uuid4()}",
            "activity_type": "FILL",
            "type": kind,
            "order_id": order.id,
            "symbol": order.body["symbol"],
            "side": order.body["side"],
            "qty": str(quantity),
            "price": f"{price:f}",
            "cum_qty": str(order.filled),
            "leaves_qty": str(max(order.quantity - order.filled, 0)),
            "order_status": order.status,
            "transaction_time": at.strftime(CLOCK),
        }
        self.activities.append((at + self.activity_lag, row))
        position = self.positions[str(order.body["symbol"])]
        self.tell(
            kind,
            order,
            {
                "execution_id": str(uuid4()),
                "qty": str(quantity),
                "price": f"{price:f}",
                "position_qty": str(position),
            },
        )

    def _check(self, body: dict[str, object]) -> None:
        if body["client_order_id"] in self.by_client_id:
            raise Refused(422, 40010001, "client_order_id must be unique")
        symbol, side = str(body.get("symbol")), str(body.get("side"))
        quantity, limit = int(str(body["qty"])), Decimal(str(body["limit_price"]))
        if symbol.startswith("NOSUCH"):
            raise Refused(422, 42210000, f'asset "{symbol}" not found')
        if symbol.startswith("FROZEN"):
            raise Refused(422, 42210000, f"asset {symbol} is not tradable")
        if limit % (PENNY if limit >= 1 else SMALL_STEP):
            raise Refused(
                422,
                42210000,
                f"invalid limit_price {limit}. sub-penny increment does not fulfill minimum "
                "pricing criteria",
            )
        self._check_means(symbol, side, quantity, limit)
        self._check_wash(symbol, side)

    def _check_means(self, symbol: str, side: str, quantity: int, limit: Decimal) -> None:
        if side == "buy" and quantity * limit > self.buying_power:
            numbers: dict[str, object] = {
                "buying_power": str(self.buying_power),
                "cost_basis": str(quantity * limit),
            }
            raise Refused(403, 40310000, "insufficient buying power", numbers)
        held = self.positions.get(symbol, 0)
        if side == "sell" and quantity > held and not self.shorting:
            words = (
                f"insufficient qty available for order (requested: {quantity}, available: {held})"
            )
            raise Refused(403, 40310000, words, {"existing_qty": str(held)})

    def _check_wash(self, symbol: str, side: str) -> None:
        for order in self.orders.values():
            other = order.body["symbol"] == symbol and order.body["side"] != side
            if other and order.status in OPEN:
                reason = f"opposite side {order.body['side']} limit order exists"
                raise Refused(
                    403,
                    40310000,
                    "potential wash trade detected. use complex orders",
                    {"existing_order_id": order.id, "reject_reason": reason},
                )
