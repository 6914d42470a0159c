"""A websocket client of Alpaca's library, kept connected in a thread of its own."""

import asyncio
import threading
from typing import Any, Protocol

from deepstack.config import Config

# A connection that answers no ping for this long is dead, whatever TCP believes. The library's own
# patience is three minutes.
PING_SECONDS = 5
CLOSE_SECONDS = 2


class Client(Protocol):
    """What the library's clients of the trading and of the data stream have in common."""

    @property
    def _loop(self) -> Any: ...  # the library's own annotation says None
    @property
    def _ws(self) -> Any: ...
    def run(self) -> None: ...
    async def stop_ws(self) -> None: ...


class StreamThread:
    """Connects again after each loss, with the library's backoff, until it is ended."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._thread = threading.Thread(target=client.run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Close the connection for good; waits a little for its thread."""
        loop: asyncio.AbstractEventLoop | None = self._client._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end(), loop)
        self._thread.join(2 * CLOSE_SECONDS + 1)

    def connect_anew(self) -> None:
        """Drop a connection that lives and reports nothing; the library then connects again."""
        loop: asyncio.AbstractEventLoop | None = self._client._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._drop(), loop)

    async def _end(self) -> None:
        await self._client.stop_ws()
        await self._drop()

    async def _drop(self) -> None:
        if self._client._ws is not None:
            await self._client._ws.close()


def client_arguments(config: Config, url: str) -> dict[str, Any]:
    """What each of the library's stream clients is made of."""
    return {
        "api_key": config.alpaca_api_key,
        "secret_key": config.alpaca_secret_key.get_secret_value(),
        # As models, messages with a word that the library does not know would be lost.
        "raw_data": True,
        "url_override": url,
        "websocket_params": {
            "ping_interval": PING_SECONDS,
            "ping_timeout": PING_SECONDS,
            "close_timeout": CLOSE_SECONDS,
            "open_timeout": config.alpaca_connect_seconds,
            "max_queue": 4096,
        },
    }
