"""A TWS / IB Gateway of our own: `python -m tests.brokers.peers.tws LOG`.

Speaks the socket protocol to any client on one port and takes orders about its own behaviour on
another: one JSON object a line, `{"do": NAME, ...}`, answered by one line. Prints both ports as its
first line. Every message in either direction is a line of LOG; the log is the oracle.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from tests.brokers.peers import tws_algos as algos
from tests.brokers.peers import tws_wire as wire
from tests.brokers.peers.tws_book import Book, Switches
from tests.brokers.peers.tws_control import Control
from tests.brokers.peers.tws_market import Market
from tests.brokers.peers.tws_session import MESSAGES_A_SECOND, Session
from tests.brokers.peers.tws_wire import Execution, Fields, Order, Placement

HOST = "127.0.0.1"


class Tws:
    def __init__(self, log: IO[str], accounts: Sequence[str]) -> None:
        self.book = Book(tuple(accounts), self._note_fact)
        self.switches = Switches()
        self.market = Market(self)
        self.once: list[dict[str, Any]] = []  # what happens to the next placements
        self.sessions: dict[int, Session] = {}
        self.connections: set[Session] = set()
        self.stranger = Session(None)  # type: ignore[arg-type]
        self.port = 0
        self._log = log
        self._server: asyncio.Server | None = None
        self._held: list[tuple[Session, Fields]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers = {
            3: self._place, 4: self._cancel, 5: self._open_orders, 6: self._account_updates,
            7: self._executions, 8: self._ids, 9: self._contract, 16: self._all_open_orders,
            17: self._accounts, 49: self._time, 61: self._positions, 62: self._summary,
            1: self.market.subscribe, 2: self.market.cancel, 59: self.market.set_kind,
            71: self._start, 76: self._account_multi, 99: self._completed,
        }  # fmt: skip

    # The socket

    async def listen(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, port or self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Nobody is let in any more, and everybody is thrown out."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    @property
    def closed(self) -> bool:
        return self._server is None

    def cut(self) -> None:
        for session in list(self.connections):
            session.cut()
        self.sessions = {k: v for k, v in self.sessions.items() if v is self.stranger}

    def everybody(self) -> list[Session]:
        return [each for each in self.sessions.values() if each is not self.stranger]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(writer)
        self.connections.add(session)
        try:
            await self._handshake(reader, writer)
            while True:
                fields = wire.fields_of(await wire.read_frame(reader))
                self._note("in", session, fields)
                if self.switches.hang:
                    self._held.append((session, fields))
                else:
                    self._take(session, fields)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections.discard(session)
            if self.sessions.get(session.client_id) is session:
                del self.sessions[session.client_id]
            writer.close()

    async def _handshake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(4) != b"API\0":
            raise ConnectionError("not a client of ours")
        await wire.read_frame(reader)
        while self.switches.hang:
            await asyncio.sleep(0.01)
        writer.write(wire.frame([wire.SERVER_VERSION, time.strftime("%Y%m%d %H:%M:%S EST")]))

    def _take(self, session: Session, fields: Fields) -> None:
        if self._too_fast(session):
            return
        handler = self._handlers.get(int(fields[0]))
        if handler is not None:
            handler(session, fields)

    def _too_fast(self, session: Session) -> bool:
        if not session.is_too_fast(time.monotonic()):
            return False
        session.strikes += 1
        text = f"Max rate of messages per second has been exceeded:max={MESSAGES_A_SECOND}"
        self.send(session, wire.error(-1, 100, text))
        if session.strikes >= 3:
            session.cut()
        return True

    def send(self, session: Session, fields: Sequence[object]) -> None:
        if not session.writer.is_closing():
            self._note("out", session, fields)
            session.writer.write(wire.frame(fields))

    def tell(self, client_id: int, fields: Sequence[object]) -> None:
        """Only the client that placed an order hears of it."""
        session = self.sessions.get(client_id)
        if session is not None and not self.switches.hang:
            self.send(session, fields)

    def hang(self, on: bool) -> None:
        self.switches.hang = on
        held, self._held = self._held, []
        for session, fields in held if not on else []:
            self._take(session, fields)
        if on:
            self._held = held

    def _note(self, direction: str, session: Session, fields: Sequence[object]) -> None:
        line = {
            "at": time.monotonic(),
            "way": direction,
            "client": session.client_id,
            "fields": [str(each) for each in fields],
        }
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()

    def _note_fact(self, kind: str, order: Order, facts: dict[str, object]) -> None:
        line = {"at": time.monotonic(), "way": "book", "kind": kind, "ref": order.said.ref}
        self._log.write(json.dumps(line | facts) + "\n")
        self._log.flush()

    def later(self, seconds: float, what: Any, *args: Any) -> None:
        async def run() -> None:
            await asyncio.sleep(seconds)
            what(*args)

        task = asyncio.ensure_future(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Requests

    def _start(self, session: Session, fields: Fields) -> None:
        client_id = int(fields[2])
        if client_id in self.sessions:
            self.send(session, wire.error(-1, 326, "client id is already in use"))
            self.later(0.01, session.cut)
            return
        session.client_id = client_id
        self.sessions[client_id] = session
        self._accounts(session, fields)
        self._ids(session, fields)
        for code, farm in ((2104, "usfarm"), (2106, "ushmds"), (2158, "secdefnj")):
            self.send(session, wire.error(-1, code, f"data farm connection is OK:{farm}"))

    def _accounts(self, session: Session, fields: Fields) -> None:
        self.send(session, [15, 1, ",".join(self.book.accounts)])

    def _ids(self, session: Session, fields: Fields) -> None:
        told = self.switches.next_valid_id or self.book.next_valid_id(session.client_id)
        self.send(session, [9, 1, told])

    def _time(self, session: Session, fields: Fields) -> None:
        self.send(session, [49, 1, int(time.time() + self.switches.clock_skew)])

    def _contract(self, session: Session, fields: Fields) -> None:
        req_id, symbol = int(fields[2]), fields[4]
        if self.switches.contract_error:
            code, text = self.switches.contract_error
            self.send(session, wire.error(req_id, int(str(code)), str(text)))
            return
        if symbol in self.switches.unknown:
            text = "No security definition has been found for the request"
            self.send(session, wire.error(req_id, 200, text))
            return
        self.send(session, wire.contract_details(req_id, symbol))
        if symbol in self.switches.ambiguous:
            self.send(session, wire.contract_details(req_id, symbol, "LSE"))
        self.send(session, [52, 1, req_id])

    def _open_orders(self, session: Session, fields: Fields) -> None:
        self._show_open(session, [o for o in self._open() if o.client_id == session.client_id])

    def _all_open_orders(self, session: Session, fields: Fields) -> None:
        self._show_open(session, self._open())

    def _open(self) -> list[Order]:
        return [order for order in self.book.orders.values() if order.open]

    def _show_open(self, session: Session, orders: Sequence[Order]) -> None:
        for order in orders:
            self.send(session, wire.open_order(order))
            self.send(session, wire.order_status(order))
        if self.switches.open_end:
            self.send(session, [53, 1])

    def _completed(self, session: Session, fields: Fields) -> None:
        for order in self.book.orders.values():
            if not order.open:
                self.send(session, wire.completed_order(order))
        if self.switches.completed_end:
            self.send(session, [102])

    def _executions(self, session: Session, fields: Fields) -> None:
        if self.switches.mute_executions > 0:
            self.switches.mute_executions -= 1
            return
        wanted = 0 if self.switches.ignore_filter else int(fields[3] or 0)
        shown = [
            (order, execution)
            for order in self.book.orders.values()
            for execution in order.executions
            if wanted in (0, order.client_id)
        ]
        answer = self._show_executions(session, int(fields[2]), shown)
        asyncio.get_running_loop().create_task(answer)

    async def _show_executions(
        self, session: Session, req_id: int, shown: Sequence[tuple[Order, Execution]]
    ) -> None:
        for order, execution in shown:
            self.send(session, self._details(order, execution, req_id))
            if order.client_id == session.client_id and self.switches.commission_seconds >= 0:
                self.send(session, wire.commission_report(execution))
            if self.switches.seconds_per_execution:
                await asyncio.sleep(self.switches.seconds_per_execution)
        self.send(session, [55, 1, req_id])

    def _details(self, order: Order, execution: Execution, req_id: int = -1) -> list[object]:
        return wire.execution_details(order, execution, req_id=req_id, zone=self.switches.zone)

    def _positions(self, session: Session, fields: Fields) -> None:
        for symbol, shares in self.book.money.positions.items():
            contract = wire.stock(symbol)
            self.send(session, [61, 3, self.book.accounts[0], *contract, shares, "100.00"])
        self.send(session, [62, 1])

    def _account_updates(self, session: Session, fields: Fields) -> None:
        self.send(session, [54, 1, fields[3]])

    def _account_multi(self, session: Session, fields: Fields) -> None:
        self.send(session, [74, 1, fields[2]])

    def _summary(self, session: Session, fields: Fields) -> None:
        money = self.book.money
        values = {"TotalCashValue": money.cash, "BuyingPower": money.buying_power}
        for account in self.book.accounts:
            for tag, value in values.items():
                self.send(session, [63, 1, fields[2], account, tag, value, self.switches.currency])
        self.send(session, [64, 1, fields[2]])

    # Orders

    def _place(self, session: Session, fields: Fields) -> None:
        said = wire.placement(fields)
        fault = self.once.pop(0) if self.once else {}
        if fault.get("lose"):
            return
        if fault.get("cut_before"):
            session.cut()
            return
        refused = fault.get("refuse") or self._refusal(session.client_id, said)
        if refused:
            self.send(session, wire.error(said.order_id, refused[0], refused[1]))
            return
        known = self.book.by_id(session.client_id, said.order_id)
        order = known or self.book.accept(session.client_id, said)
        if fault.get("cut_after"):
            session.cut()
        elif fault.get("inactive"):
            code, text = fault["inactive"]
            self.send(session, wire.error(said.order_id, code, text))
            self.end(order, "Inactive", "Rejected")
        elif not fault.get("silent"):
            self._acknowledge(session, order, fault)
        if self.switches.fill_seconds >= 0 and not fault.get("idle"):
            self._fill_by_itself(order)

    def _refusal(self, client_id: int, said: Placement) -> tuple[int, str] | None:
        if said.account and said.account not in self.book.accounts:
            return 321, f"Error validating request: invalid account {said.account}"
        if not said.tif:
            return 10349, "Order TIF was set to DAY based on order preset."
        return algos.refusal(said) or self.book.refusal(client_id, said)

    def _acknowledge(self, session: Session, order: Order, fault: dict[str, Any]) -> None:
        order.status = fault.get("status", order.status)
        self.send(session, wire.open_order(order))
        self.tell_status(order)
        if "warn" in fault:
            code, text = fault["warn"]
            self.send(session, wire.error(order.said.order_id, code, text))

    def _fill_by_itself(self, order: Order) -> None:
        parts = algos.PIECES if order.said.algo else self.switches.fill_parts
        parts = min(parts, order.leaves)
        for part in range(parts):
            quantity = order.leaves // parts + (part < order.leaves % parts)
            pause = self.switches.fill_seconds * (part + 1)
            self.later(pause, self._fill_if_open, order, quantity)

    def _fill_if_open(self, order: Order, quantity: int) -> None:
        if order.open and not order.cancel_asked:
            self.fill(order, quantity, order.said.limit_price)

    def tell_status(self, order: Order, status: str = "") -> None:
        for _ in range(2 if self.switches.repeat_status else 1):
            if self.switches.report_status:
                self.tell(order.client_id, wire.order_status(order, status=status))

    def fill(self, order: Order, quantity: int, price: Decimal) -> None:
        self.report(order, self.book.execute(order, quantity, price))

    def report(self, order: Order, execution: Execution) -> None:
        if order.status in ("Submitted", "Filled"):
            self.tell_status(order)
        self.tell(order.client_id, self._details(order, execution))
        pause = self.switches.commission_seconds
        if pause >= 0:
            self.later(pause, self.tell, order.client_id, wire.commission_report(execution))

    def _cancel(self, session: Session, fields: Fields) -> None:
        order_id = int(fields[2])
        order = self.book.by_id(session.client_id, order_id)
        refused = self.switches.refuse_cancels
        if order is None:
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            self.send(session, wire.error(order_id, 10147, text))
        elif not order.open or refused == 10148:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled"
            self.send(session, wire.error(order_id, 10148, f"{text}, state: {order.status}."))
        elif refused:
            text = f"Cancel attempted when order is not in a cancellable state. {order.perm_id}"
            self.send(session, wire.error(order_id, refused, text))
        elif self.switches.hold_cancels:
            order.cancel_asked = True
            self.tell_status(order, "PendingCancel")
        else:
            self.end(order, "Cancelled", "Cancelled by Trader")
            self.send(session, wire.error(order_id, 202, "Order Canceled - reason:"))

    def end(self, order: Order, status: str, completed: str) -> None:
        order.status, order.completed_status = status, completed
        self.book.note("end", order, {"status": status})
        self.tell_status(order)


async def serve(tws: Tws, port: int, control: int) -> None:
    await tws.listen(port)
    commands = await asyncio.start_server(Control(tws).obey, HOST, control)
    ports = {"port": tws.port, "control": commands.sockets[0].getsockname()[1]}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await commands.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.brokers.peers.tws", description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--accounts", default="DU1234567")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control", type=int, default=0)
    parser.add_argument("--auto-fill-ms", type=float, help="each order fills after so long")
    parser.add_argument("--fill-parts", type=int, default=1, help="in so many executions")
    asked = parser.parse_args()
    with asked.log.open("a") as log, suppress(KeyboardInterrupt):
        tws = Tws(log, asked.accounts.split(","))
        tws.switches.fill_parts = asked.fill_parts
        if asked.auto_fill_ms is not None:
            tws.switches.fill_seconds = asked.auto_fill_ms / 1000
        asyncio.run(serve(tws, asked.port, asked.control))


if __name__ == "__main__":
    main()
