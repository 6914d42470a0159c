"""The orders that the TWS peer takes about its own behaviour: a method for each."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.brokers.peers import tws_wire as wire
from tests.brokers.peers.tws_book import Money, Switches
from tests.brokers.peers.tws_wire import Order, Placement

if TYPE_CHECKING:
    from tests.brokers.peers.tws import Tws


class Control:
    def __init__(self, tws: "Tws") -> None:
        self._tws = tws

    async def obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            wish = json.loads(line)
            try:
                answer = getattr(self, f"do_{wish.pop('do')}")(**wish)
                if asyncio.iscoroutine(answer):
                    answer = await answer
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
                answer = {"error": repr(problem)}
            writer.write(json.dumps({} if answer is None else answer).encode() + b"\n")

    def do_set(self, **switches: Any) -> None:
        if "hang" in switches:
            self._tws.hang(switches.pop("hang"))
        for name, value in switches.items():
            if name in ("cash", "buying_power", "positions"):
                money = value if name == "positions" else Decimal(value)
                setattr(self._tws.book.money, name, money)
            elif hasattr(self._tws.switches, name):
                setattr(self._tws.switches, name, value)
            else:
                raise KeyError(name)

    def do_reset(self) -> None:
        """Everything works again; the orders stay."""
        self._tws.hang(False)
        self._tws.sessions = {
            k: v for k, v in self._tws.sessions.items() if v is not self._tws.stranger
        }
        self._tws.switches, self._tws.once = Switches(), []
        self._tws.book.money = Money()

    def do_once(self, **fault: Any) -> None:
        self._tws.once.append(fault)

    def do_say(self, code: int, text: str = "", ref: str = "") -> None:
        req_id = self._tws.book.by_ref(ref).said.order_id if ref else -1
        for session in self._tws.everybody():
            self._tws.send(session, wire.error(req_id, code, text or f"code {code}"))

    def do_cut(self) -> None:
        self._tws.cut()

    def do_down(self) -> None:
        self._tws.close()

    async def do_up(self) -> None:
        if self._tws.closed:
            await self._tws.listen()

    def do_fill(self, ref: str, quantity: int, price: str) -> None:
        self._tws.fill(self._tws.book.by_ref(ref), quantity, Decimal(price))

    def do_repeat(self, ref: str) -> None:
        order = self._tws.book.by_ref(ref)
        for execution in order.executions:
            self._tws.report(order, execution)

    def do_correct(self, ref: str, quantity: int, price: str) -> None:
        order = self._tws.book.by_ref(ref)
        self._tws.report(order, self._tws.book.correct(order, quantity, Decimal(price)))

    def do_commission(self, ref: str, amount: str) -> None:
        order = self._tws.book.by_ref(ref)
        for execution in order.executions:
            self._tws.book.money.cash += execution.commission - Decimal(amount)
            execution.commission = Decimal(amount)
            self._tws.tell(order.client_id, wire.commission_report(execution))

    def do_end(self, ref: str, status: str, completed: str = "", code: int = 0) -> None:
        order = self._tws.book.by_ref(ref)
        if code:
            self._tws.tell(order.client_id, wire.error(order.said.order_id, code, completed))
        self._tws.end(order, status, completed or status)

    def do_status(self, ref: str, status: str, filled: int) -> None:
        """An orderStatus of this kind, whatever is true."""
        order = self._tws.book.by_ref(ref)
        self._tws.tell(
            order.client_id, wire.order_status(replace(order, filled=filled), status=status)
        )

    def do_hold(self, ref: str) -> None:
        """Inactive without being refused: not transmitted, or shares to borrow are located."""
        order = self._tws.book.by_ref(ref)
        order.status = "Inactive"
        self._tws.tell_status(order)

    def do_forget(self, ref: str) -> None:
        del self._tws.book.orders[self._tws.book.by_ref(ref).perm_id]

    def do_occupy(self, client_id: int) -> None:
        """Somebody else holds this client id."""
        self._tws.sessions[client_id] = self._tws.stranger

    def do_release(self, client_id: int) -> None:
        if self._tws.sessions.get(client_id) is self._tws.stranger:
            del self._tws.sessions[client_id]

    def do_duplicate_of(self, ref: str) -> None:
        """A second live order under one reference."""
        order = self._tws.book.by_ref(ref)
        said = replace(order.said, order_id=self._tws.book.next_valid_id(order.client_id))
        duplicate_of = self._tws.book.accept(order.client_id, said)
        self._tws.tell(duplicate_of.client_id, wire.open_order(duplicate_of))
        self._tws.tell_status(duplicate_of)

    def do_foreign(self, symbol: str, side: str, quantity: int, client_id: int = 99) -> None:
        said = Placement(
            self._tws.book.next_valid_id(client_id), 0, symbol, side, quantity, "LMT", Decimal(1),
            "DAY", self._tws.book.accounts[0], "", False, "", (),
        )  # fmt: skip
        self._tws.book.accept(client_id, said)

    def do_crowd(self, orders: int, executions: int = 1, client_id: int = 99) -> None:
        """So many orders of somebody else, each with so many executions."""
        for _ in range(orders):
            said = Placement(
                self._tws.book.next_valid_id(client_id), 0, "ZZZ", "BUY", executions, "LMT",
                Decimal(1), "DAY", self._tws.book.accounts[0], "", False, "", (),
            )  # fmt: skip
            order = self._tws.book.accept(client_id, said)
            for _ in range(executions):
                self._tws.book.execute(order, 1, Decimal(1))

    def do_accepted(self, ref: str) -> int:
        return sum(said.ref == ref for said in self._tws.book.accepted)

    def do_order(self, ref: str) -> dict[str, Any]:
        return _shown(self._tws.book.by_ref(ref))

    def do_orders(self) -> list[dict[str, Any]]:
        return [_shown(order) for order in self._tws.book.orders.values()]

    def do_clients(self) -> list[int]:
        return sorted(self._tws.sessions)

    def do_halt(self, symbol: str, state: int) -> None:
        self._tws.market.halt(symbol, state)

    def do_lose_data(self) -> None:
        self._tws.market.lose()

    def do_watched(self, client_id: int) -> list[str]:
        """Symbols whose market data this client is sent."""
        session = self._tws.sessions.get(client_id)
        return sorted(session.lines.values()) if session else []

    def do_next_id(self, client_id: int, highest: int) -> None:
        self._tws.book.highest_id[client_id] = highest


def _shown(order: Order) -> dict[str, Any]:
    said = order.said
    return {
        "ref": said.ref, "client": order.client_id, "order_id": said.order_id,
        "perm_id": order.perm_id, "status": order.status, "quantity": said.quantity,
        "filled": order.filled, "symbol": said.symbol, "side": said.action,
        "limit": str(said.limit_price), "tif": said.tif, "outside_rth": said.outside_rth,
        "account": said.account, "con_id": said.con_id,
        "algo": said.algo, "algo_params": dict(said.algo_params),
    }  # fmt: skip
