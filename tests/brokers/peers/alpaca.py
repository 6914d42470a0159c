"""An Alpaca of our own: REST, trade updates and an admin door, in a process of its own.

    python -m tests.brokers.peers.alpaca --port 8090 --log attempts.jsonl --auto-fill-ms 200

Prints its port, one that is free with `--port 0`, in a line of JSON. Every attempt is
appended to the log as it arrives and again as it is answered, one JSON object a line: what the
client tried is told by this file, not by the client. `POST /_peer/<command>` with a JSON object
arms faults and moves the market; each command is a method of `Admin`.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from tests.brokers.peers import alpaca_data_stream
from tests.brokers.peers.alpaca_answers import Answers
from tests.brokers.peers.alpaca_book import CLOCK, Order, Refused
from tests.brokers.peers.alpaca_state import Fault, State, Weather

KEYS = alpaca_data_stream.KEYS
FOR_EVER = 3600.0  # seconds


class Rest(RequestHandler):
    """Alpaca's trading interface: what the adapter uses of it."""

    state: State

    def initialize(self, state: State) -> None:
        self.state = state

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json; charset=UTF-8")

    async def get(self, path: str) -> None:
        await self._serve("GET", path)

    async def post(self, path: str) -> None:
        await self._serve("POST", path)

    async def delete(self, path: str) -> None:
        await self._serve("DELETE", path)

    async def _serve(self, method: str, path: str) -> None:
        path = f"/{path}"
        body = json.loads(self.request.body) if self.request.body else {}
        asked = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        self.state.write(kind="attempt", method=method, path=path, body=body, query=asked)
        if self.state.dateless:
            self.clear_header("Date")
        else:
            self.set_header("Date", format_datetime(self.state.book.now(), usegmt=True))
        fault = next((each for each in self.state.faults if each.hits(method, path)), None)
        if fault is not None:
            fault.times -= 1
        elif self.state.weather is not None:
            fault = self.state.weather.fault(method)
        if fault is not None and await self._fail(fault, method, path, body, asked):
            return
        self._answer(*self._carry_out(method, path, body, asked))

    async def _fail(
        self, fault: Fault, method: str, path: str, body: dict[str, object], asked: dict[str, str]
    ) -> bool:
        """Whether the fault has taken the answer's place."""
        ordinary: object = None
        if fault.do:
            _, ordinary = self._carry_out(method, path, body, asked)
        if fault.then == "hang":
            await asyncio.sleep(fault.seconds or FOR_EVER)
        await asyncio.sleep(fault.seconds)
        if fault.then == "go on":
            return False
        if fault.then in ("close", "hang"):
            self.detach().close()
            return True
        for name, value in fault.headers.items():
            self.set_header(name, value)
        if isinstance(fault.body, dict) and isinstance(ordinary, dict):
            self._answer(fault.status, {**ordinary, **fault.body})
        else:
            self._answer(fault.status, ordinary if fault.body is None else fault.body)
        return True

    def _carry_out(
        self, method: str, path: str, body: dict[str, object], asked: dict[str, str]
    ) -> tuple[int, object]:
        headers = self.request.headers
        key = (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY"))
        if key != (KEYS["key"], KEYS["secret"]):
            return 401, {"code": 40110000, "message": "request is not authorized"}
        if wait := self.state.over_limit():
            self.set_header("X-RateLimit-Reset", str(int(time.time() + wait) + 1))
            return 429, {"code": 42910000, "message": "too many requests."}
        try:
            return Answers(self.state).of(method, path, body, asked)
        except Refused as refused:
            return refused.status, {
                "code": refused.code,
                "message": refused.message,
                **refused.more,
            }

    def _answer(self, status: int, body: object) -> None:
        self.state.write(kind="answer", status=status, body=body)
        self.set_status(status)
        if status == 204 or body is None:
            self.clear_header("Content-Type")
            self.finish()
        else:
            self.finish(body if isinstance(body, str) else json.dumps(body))


class Stream(WebSocketHandler):
    """`trade_updates`; one connection at a time, as Alpaca allows."""

    state: State
    listens = False

    def initialize(self, state: State) -> None:
        self.state = state

    def prepare(self) -> None:
        if self.state.streams:
            self.set_status(429)
            self.finish()

    def open(self, *args: str, **kwargs: str) -> None:
        self.state.streams.add(self)

    def on_message(self, message: str | bytes) -> None:
        said = json.loads(message)
        if said["action"] == "authenticate":
            given = (said["data"]["key_id"], said["data"]["secret_key"])
            known = given == (KEYS["key"], KEYS["secret"])
            status = "authorized" if known else "unauthorized"
            self._reply("authorization", {"status": status, "action": "authenticate"})
        elif said["action"] == "listen":
            self.listens = True
            self._reply("listening", {"streams": said["data"]["streams"]})

    def on_close(self) -> None:
        self.state.streams.discard(self)

    def tell(self, text: str) -> None:
        try:
            self.write_message(text.encode(), binary=True)
        except WebSocketClosedError:
            self.on_close()

    def _reply(self, stream: str, data: dict[str, object]) -> None:
        self.tell(json.dumps({"stream": stream, "data": data}))


class Admin(RequestHandler):
    """The test's hand. Commands name orders by client order id."""

    state: State

    def initialize(self, state: State) -> None:
        self.state = state

    def post(self, command: str) -> None:
        wanted = json.loads(self.request.body or "{}")
        action: Callable[..., object] = getattr(self, f"do_{command}")
        self.finish(json.dumps({"answer": action(**wanted)}, default=str))

    def do_reset(self, log: str = "") -> None:
        """With another `log`, what follows is written there."""
        if log:
            self.state.log.close()
            self.state.log = open(log, "a", encoding="utf-8")  # noqa: SIM115
        self.state.reset()

    def do_fault(self, **fault: Any) -> None:
        self.state.faults.append(Fault(**fault))

    def do_set(self, **values: Any) -> None:
        """Of the peer: mute, repeat, per_minute, auto_fill. Of the book: the rest; times in
        seconds, money as texts."""
        for name, value in values.items():
            holder = self.state if hasattr(self.state, name) else self.state.book
            if name in ("skew", "settle", "activity_lag"):
                value = timedelta(seconds=value)
            elif name in ("cash", "buying_power"):
                value = Decimal(value)
            setattr(holder, name, value)

    def do_fill(self, client_order_id: str, quantity: int, price: str) -> None:
        self.state.book.fill(self._order(client_order_id), quantity, Decimal(price))

    def do_end(self, client_order_id: str, status: str, **more: str) -> None:
        self.state.book.end(self._order(client_order_id), status, **more)

    def do_become(self, client_order_id: str, status: str) -> None:
        self._order(client_order_id).status = status

    def do_replace(self, client_order_id: str) -> str:
        return self.state.book.replace(self._order(client_order_id)).client_order_id

    def do_repeat_activity(self, client_order_id: str, new_id: bool = False) -> None:
        order = self._order(client_order_id)
        rows = [row for _, row in self.state.book.activities if row["order_id"] == order.id]
        for row in rows:
            duplicate_of = {**row, "id": f"{row['id']}0"} if new_id else row
            self.state.book.activities.append((self.state.book.now(), duplicate_of))

    def do_repeat_events(self) -> None:
        for text in self.state.told:
            self.state.send(text)

    def do_place(self, **body: Any) -> str:
        order = self.state.book.place({"time_in_force": "day", "limit_price": "1.00", **body})
        self.state.book.acknowledge(order)
        return order.client_order_id

    def do_crowd(self, count: int, per_moment: int = 1, status: str = "new") -> None:
        """Orders of somebody else, so many of them submitted in one and the same moment."""
        begun = self.state.book.now() - timedelta(hours=1)
        for number in range(count):
            body = dict[str, object](symbol="ZZZ", side="buy", qty="1", limit_price="1.00")
            order = self.state.book.place({**body, "time_in_force": "day"})
            stamp = (begun + timedelta(milliseconds=7 * (number // per_moment))).strftime(CLOCK)
            order.stamps = {"submitted_at": stamp, "created_at": stamp, "updated_at": stamp}
            order.status = status

    def do_age(self, client_order_id: str, seconds: float) -> None:
        """As if all that happened to the order until now had happened so much earlier."""
        order = self._order(client_order_id)
        for name, stamp in order.stamps.items():
            order.stamps[name] = _earlier(stamp, seconds)
        for _, row in self.state.book.activities:
            if row["order_id"] == order.id:
                row["transaction_time"] = _earlier(str(row["transaction_time"]), seconds)

    def do_quote(self, symbol: str, **row: Any) -> None:
        self.state.market.quote(symbol, **row)

    def do_bars(self, symbol: str, start: str, count: int, volume: int) -> None:
        self.state.market.minutes(symbol, datetime.fromisoformat(start), count, volume)

    def do_weather(self, seed: int, share: float) -> None:
        self.state.weather = Weather(seed, share)

    def do_calm(self) -> None:
        """No more faults; orders go on filling."""
        if self.state.weather is not None:
            self.state.weather.share = 0.0

    def do_kick(self) -> None:
        for stream in list(self.state.streams):
            stream.close(1012, "restart")

    def do_status(self, **status: str) -> None:
        """A trading status of a symbol, by the data stream."""
        for stream in list(self.state.data_streams):
            stream.tell(alpaca_data_stream.status(**status))

    def do_kick_data(self) -> None:
        for stream in list(self.state.data_streams):
            stream.close(1012, "restart")

    def do_data_listeners(self) -> int:
        return sum(stream.subscribed for stream in self.state.data_streams)

    def do_listeners(self) -> int:
        return sum(stream.listens for stream in self.state.streams)

    def do_order(self, client_order_id: str) -> object:
        order = self.state.book.by_client_id.get(client_order_id)
        return order and order.as_json()

    def _order(self, client_order_id: str) -> Order:
        return self.state.book.by_client_id[client_order_id]


def _earlier(stamp: str, seconds: float) -> str:
    return (datetime.fromisoformat(stamp) - timedelta(seconds=seconds)).strftime(CLOCK)


def application(state: State) -> Application:
    given = {"state": state}
    return Application(
        [
            (r"/_peer/(\w+)", Admin, given),
            (r"/stream", Stream, given),
            (r"/v2/(?:iex|sip)", alpaca_data_stream.DataStream, given),
            (r"/(v2/.*)", Rest, given),
        ],
        log_function=lambda handler: None,  # the attempts have a log of their own
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for Alpaca.")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--log", default="/dev/null")
    parser.add_argument("--auto-fill-ms", type=float)
    wanted = parser.parse_args()
    with open(wanted.log, "a", encoding="utf-8") as log:
        state = State(log)
        if wanted.auto_fill_ms is not None:
            state.auto_fill = wanted.auto_fill_ms / 1000
        server = HTTPServer(application(state))
        sockets = bind_sockets(wanted.port, "127.0.0.1")
        server.add_sockets(sockets)
        since = datetime.now(UTC).strftime(CLOCK)
        print(json.dumps({"port": sockets[0].getsockname()[1], "since": since}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
