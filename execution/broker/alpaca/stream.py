"""Alpaca's stream of trade updates: the library's client, with its moments made known."""

from collections.abc import Callable, Mapping
from typing import Any

from alpaca.trading.stream import TradingStream
from typing_extensions import override

from deepstack.config import Config
from execution.broker.alpaca import endpoints
from execution.broker.alpaca.stream_thread import StreamThread, client_arguments

Update = Mapping[str, Any]


class Updates(TradingStream):
    """`on_listening` is called whenever Alpaca confirms that it will report: it does not repeat
    what happened before. `on_lost` follows every connection that ended or never was. The callbacks
    run in the stream's thread and must be quick.
    """

    def __init__(
        self,
        config: Config,
        on_update: Callable[[Update], None],
        on_listening: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(**client_arguments(config, endpoints.stream_url(config)))
        self._on_update = on_update
        self._on_listening = on_listening
        self._on_lost = on_lost
        self.subscribe_trade_updates(self._take)
        self.thread = StreamThread(self, "trade-updates")

    async def _take(self, message: Update) -> None:
        update = message.get("data")
        if isinstance(update, dict):
            self._on_update(update)

    @override
    async def close(self) -> None:
        self._on_lost()
        await super().close()

    @override
    async def _dispatch(self, msg: dict[str, Any]) -> None:
        if msg.get("stream") == "listening":
            self._on_listening()
        await super()._dispatch(msg)
