"""Alpaca's stream of trade updates: the library's client, with its moments made known."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from alpaca.trading.stream import TradingStream
from typing_extensions import override

from deepstack.config import Config
from execution.broker.alpaca import endpoints

log = structlog.get_logger(__name__)

# A connection that answers no ping for this long is dead, whatever TCP believes. The library's own
# patience is three minutes.
PING_SECONDS = 5
CLOSE_SECONDS = 2

Update = Mapping[str, Any]


class Updates(TradingStream):
    """Connects in a thread of its own and again after each loss, with the library's backoff.

    `on_listening` is called whenever Alpaca confirms that it will report: it does not repeat what
    happened before. `on_lost` follows every connection that ended or never was. The callbacks run
    in the stream's thread and must be quick.
    """

    def __init__(
        self,
        config: Config,
        on_update: Callable[[Update], None],
        on_listening: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(
            config.alpaca_api_key,
            config.alpaca_secret_key.get_secret_value(),
            # As models, updates with a word that the library does not know would be lost.
            raw_data=True,
            url_override=endpoints.stream_url(config),
            websocket_params={
                "ping_interval": PING_SECONDS,
                "ping_timeout": PING_SECONDS,
                "close_timeout": CLOSE_SECONDS,
                "open_timeout": config.alpaca_connect_seconds,
                "max_queue": 4096,
            },
        )
        self._on_update = on_update
        self._on_listening = on_listening
        self._on_lost = on_lost
        self.subscribe_trade_updates(self._take)
        self._thread = threading.Thread(target=self.run, name="trade-updates", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Close the connection for good; waits a little for its thread."""
        loop: asyncio.AbstractEventLoop | None = self._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end(), loop)
        self._thread.join(2 * CLOSE_SECONDS + 1)

    def connect_anew(self) -> None:
        """Drop a connection that lives and reports nothing; the library then connects again."""
        loop: asyncio.AbstractEventLoop | None = self._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._drop(), loop)

    async def _end(self) -> None:
        await self.stop_ws()
        await self._drop()

    async def _drop(self) -> None:
        if self._ws is not None:
            await self._ws.close()

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
