"""The data stream of the Alpaca peer: trading statuses, in messages of msgpack as Alpaca's are."""

from datetime import UTC, datetime
from typing import Any

import msgpack
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from tests.brokers.peers.alpaca_state import State

KEYS = {"key": "test-key", "secret": "test-secret"}


class DataStream(WebSocketHandler):
    """One connection at a time; what happened before a subscription is not told."""

    state: State
    subscribed = False

    def initialize(self, state: State) -> None:
        self.state = state

    def open(self, *args: str, **kwargs: str) -> None:
        self._say({"T": "success", "msg": "connected"})

    def on_message(self, message: str | bytes) -> None:
        said = msgpack.unpackb(message)
        if said["action"] == "auth":
            self._authenticate(said)
        elif said["action"] == "subscribe":
            self.subscribed = "*" in said.get("statuses", [])
            self._say({"T": "subscription", "statuses": said.get("statuses", [])})

    def on_close(self) -> None:
        self.state.data_streams.discard(self)

    def tell(self, message: dict[str, Any]) -> None:
        if self.subscribed:
            self._say(message)

    def _authenticate(self, said: dict[str, str]) -> None:
        if {name: said.get(name) for name in KEYS} != KEYS:
            self._say({"T": "error", "code": 402, "msg": "auth failed"})
        elif self.state.data_streams:
            self._say({"T": "error", "code": 406, "msg": "connection limit exceeded"})
        else:
            self.state.data_streams.add(self)
            self._say({"T": "success", "msg": "authenticated"})

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self.write_message(msgpack.packb([message], datetime=True), binary=True)
        except WebSocketClosedError:
            self.on_close()


def status(symbol: str, code: str, at: str = "", **more: str) -> dict[str, Any]:
    """`sm`, `rc` and `rm` as Alpaca names them: what the code says, the reason and its words. A
    moment without its zone stays a text."""
    moment: object = datetime.fromisoformat(at) if at else datetime.now(UTC)
    if isinstance(moment, datetime) and moment.tzinfo is None:
        moment = at
    return {"T": "s", "S": symbol, "sc": code, "sm": "", "rc": "", "rm": "", "z": "C"} | {
        "t": moment,
        **more,
    }
