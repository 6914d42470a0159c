"""The exchange behind the TWS peer: orders of all clients, and what is wrong with it today."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from tests.brokers.peers.tws_wire import Execution, Order, Placement


@dataclass(slots=True)
class Switches:
    """What the peer does until it is told otherwise."""

    hang: bool = False  # takes what is sent and answers nothing
    hold_cancels: bool = False  # a cancel stays PendingCancel
    refuse_cancels: int = 0  # answers a cancel with this code and does nothing
    completed_end: bool = True  # False: completed orders are never answered to the end
    open_end: bool = True  # False: open orders are never answered to the end
    # So many questions for executions are left without an answer.
    mute_executions: int = 0
    ignore_filter: bool = False  # shows executions of every client, whoever was asked for
    seconds_per_execution: float = 0.0  # how slowly they arrive
    report_status: bool = True  # False: orderStatus is never sent
    repeat_status: bool = False  # every orderStatus comes twice
    commission_seconds: float = 0.0  # how long after its execution; below zero: never
    fill_seconds: float = -1.0  # a placement fills by itself after this; below zero: never
    fill_parts: int = 1
    zone: str = "US/Eastern"
    currency: str = "USD"  # that the accounts are kept in
    clock_skew: float = 0.0  # seconds ahead
    next_valid_id: int = 0  # told instead of the true one
    contract_error: list[object] = field(default_factory=list)  # code and text for every symbol
    ambiguous: list[str] = field(default_factory=list)  # symbols with two contracts
    unknown: list[str] = field(default_factory=lambda: ["NOSUCH"])
    halted: dict[str, int] = field(default_factory=dict)  # by symbol; the others trade
    delayed: bool = False  # the account has no live market data
    # Code and text for a symbol's market data.
    refused_data: dict[str, list[object]] = field(default_factory=dict)


@dataclass(slots=True)
class Money:
    """What the first account has; executions move it."""

    cash: Decimal = Decimal("1000000.00")
    buying_power: Decimal = Decimal("4000000.00")
    positions: dict[str, int] = field(default_factory=dict)

    def move(self, order: Order, quantity: int, price: Decimal) -> None:
        signed = quantity if order.said.action == "BUY" else -quantity
        held = self.positions.get(order.said.symbol, 0)
        self.positions[order.said.symbol] = held + signed
        self.cash -= signed * price


@dataclass(slots=True)
class Book:
    """Orders by permanent id. Nothing is ever forgotten, whoever connects or leaves."""

    accounts: tuple[str, ...]
    note: Callable[[str, Order, dict[str, object]], None]  # told of each change of an order
    money: Money = field(default_factory=Money)
    orders: dict[int, Order] = field(default_factory=dict)
    highest_id: dict[int, int] = field(default_factory=dict)  # by client
    accepted: list[Placement] = field(default_factory=list)
    # Ids of two peers never meet, as those of two days do not.
    series: str = field(default_factory=lambda: secrets.token_hex(4))
    _perm_ids: Iterator[int] = field(
        default_factory=lambda: count(secrets.randbelow(10**9) + 10**9)
    )
    _exec_ids: Iterator[int] = field(default_factory=lambda: count(1))

    def by_id(self, client_id: int, order_id: int) -> Order | None:
        for order in self.orders.values():
            if (order.client_id, order.said.order_id) == (client_id, order_id):
                return order
        return None

    def by_ref(self, ref: str) -> Order:
        for order in reversed(self.orders.values()):
            if order.said.ref == ref:
                return order
        raise KeyError(f"no order {ref}")

    def accept(self, client_id: int, said: Placement) -> Order:
        order = Order(client_id, next(self._perm_ids), said)
        self.orders[order.perm_id] = order
        self.highest_id[client_id] = max(self.highest_id.get(client_id, 0), said.order_id)
        self.accepted.append(said)
        algo = {"algo": said.algo, "algo_params": dict(said.algo_params)} if said.algo else {}
        self.note("accept", order, {"quantity": said.quantity, **algo})
        return order

    def refusal(self, client_id: int, said: Placement) -> tuple[int, str] | None:
        """What TWS says to an order id that it has seen; None for a new one and for a change."""
        known = self.by_id(client_id, said.order_id)
        if known is None:
            if said.order_id <= self.highest_id.get(client_id, 0):
                return 103, "Duplicate order id"
            return None
        if not known.open:
            return (104, "Cannot modify a filled order.") if known.leaves == 0 else (
                103, "Duplicate order id",
            )  # fmt: skip
        return None

    def execute(self, order: Order, quantity: int, price: Decimal) -> Execution:
        order.filled += quantity
        execution = Execution(
            exec_id=f"{self.series}.{order.perm_id:08x}.{next(self._exec_ids):04x}.01.01",
            quantity=quantity,
            price=price,
            at=datetime.now(UTC).replace(microsecond=0),
            cumulative=order.filled,
        )
        order.executions.append(execution)
        self._note_execution(order, execution)
        self.money.move(order, quantity, price)
        self.money.cash -= execution.commission
        if order.open and order.leaves <= 0:
            order.status = "Filled"
        return execution

    def correct(self, order: Order, quantity: int, price: Decimal) -> Execution:
        """The last execution anew, its id's last part one higher."""
        old = order.executions.pop()
        stem, _, revision = old.exec_id.rpartition(".")
        order.filled += quantity - old.quantity
        corrected = Execution(
            exec_id=f"{stem}.{int(revision) + 1:02d}",
            quantity=quantity,
            price=price,
            at=old.at + timedelta(0),
            cumulative=order.filled,
        )
        order.executions.append(corrected)
        self._note_execution(order, corrected)
        self.money.move(order, -old.quantity, old.price)
        self.money.move(order, quantity, price)
        return corrected

    def _note_execution(self, order: Order, execution: Execution) -> None:
        facts = {"execution_id": execution.exec_id, "quantity": execution.quantity}
        self.note("execution", order, facts)

    def next_valid_id(self, client_id: int) -> int:
        """Ids that never reached the exchange are handed out again, as TWS does."""
        return self.highest_id.get(client_id, 0) + 1
