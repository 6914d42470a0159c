"""TWS's tick "Halted" of the symbols that are watched. Runs in the socket's thread."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import partial
from typing import Any

import structlog
from django.utils import timezone

from execution.broker.ibkr import contracts
from execution.broker.ibkr.error_codes import DATA_LOST, Verdict, verdict
from execution.broker.ibkr.rate_limit import Lane, Pacer

log = structlog.get_logger(__name__)

HALTED, HALTED_DELAYED = 49, 90  # types of ticks
# An account without live data is sent delayed data instead of a refusal; with live data it changes
# nothing. Not 4, which adds frozen data: the state of the last close, long after it.
DELAYED_WHERE_NOT_LIVE = 3


class State(IntEnum):
    """What the tick says; any other value, such as -1, says that TWS does not know."""

    TRADING = 0
    HALTED = 1
    PAUSED = 2


@dataclass(frozen=True, slots=True)
class HaltedSeen:
    symbol: str
    state: State
    at: datetime


class HaltedTicks:
    """Subscriptions last as long as their connection; what is wanted outlasts it. `report` must not
    wait."""

    def __init__(self, pacer: Pacer, report: Callable[[HaltedSeen], None]) -> None:
        self._pacer = pacer
        self._report = report
        self._wanted: tuple[str, ...] = ()
        self._symbols: dict[int, str] = {}  # by request id
        self._kind_is_set = False
        self._changed = asyncio.Event()
        self._refused: set[tuple[str, int]] = set()  # symbol and code, told once

    def want(self, symbols: Sequence[str]) -> None:
        """Of these and no others."""
        if self._wanted != (wanted := tuple(symbols)):
            self._wanted = wanted
            self._changed.set()

    async def keep(self, ib: Any) -> None:
        """Subscribed on this connection to what is wanted, until cancelled."""
        self._lost()
        while True:
            await self._changed.wait()
            self._changed.clear()
            while send := self._next(ib):
                # What is wanted may change during the wait.
                if wait := self._pacer.take(Lane.DATA):
                    await asyncio.sleep(wait)
                else:
                    send()

    def on_tick(self, request_id: int, kind: int, value: float) -> None:
        symbol = self._symbols.get(request_id)
        if symbol is not None and kind in (HALTED, HALTED_DELAYED) and value in list(State):
            self._report(HaltedSeen(symbol, State(int(value)), timezone.now()))

    def on_error(self, request_id: int, code: int, text: str) -> None:
        """A symbol that is refused is not asked for again on this connection."""
        if code == DATA_LOST:
            self._lost()
        symbol = self._symbols.get(request_id)
        if symbol is None or verdict(code) is Verdict.NOTE or (symbol, code) in self._refused:
            return
        self._refused.add((symbol, code))
        log.warning("TWS reports no trading halts", symbol=symbol, code=code, text=text)

    def _lost(self) -> None:
        self._symbols.clear()
        self._kind_is_set = False
        self._changed.set()

    def _next(self, ib: Any) -> Callable[[], None] | None:
        """The next message to send, if any is due."""
        wanted, subscribed = set(self._wanted), set(self._symbols.values())
        for request_id, symbol in self._symbols.items():
            if symbol not in wanted:
                return partial(self._unsubscribe, ib, request_id)
        missing = next((each for each in self._wanted if each not in subscribed), None)
        if missing is None:
            return None
        return (
            partial(self._subscribe, ib, missing) if self._kind_is_set else partial(self._set, ib)
        )

    def _set(self, ib: Any) -> None:
        ib.client.reqMarketDataType(DELAYED_WHERE_NOT_LIVE)
        self._kind_is_set = True

    def _subscribe(self, ib: Any, symbol: str) -> None:
        request_id = ib.client.getReqId()
        self._symbols[request_id] = symbol
        # Past the library's own tickers, which would keep every tick. TWS sends the tick without
        # being asked for it by a generic one.
        ib.client.reqMktData(request_id, contracts.stock(symbol), "", False, False, [])

    def _unsubscribe(self, ib: Any, request_id: int) -> None:
        del self._symbols[request_id]
        ib.client.cancelMktData(request_id)
