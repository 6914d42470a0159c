"""The trading status of each symbol, by Alpaca's data stream: halts, pauses, resumptions."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from alpaca.data.live import StockDataStream
from typing_extensions import override

from deepstack.config import Config
from execution.broker.alpaca import endpoints
from execution.broker.alpaca.stream_thread import StreamThread, client_arguments
from execution.market.halt_reports import HaltReport

log = structlog.get_logger(__name__)

# Of the tapes A and B, then of C. Between a quotation resumption (Q) and a trading resumption
# there are quotes and no trades yet: the halt goes on.
HALTED = frozenset({"2", "H", "P"})
RESUMED = frozenset({"3", "T"})
# A reason of one symbol's halt that halts all of them: the levels of the circuit breaker.
MARKET_WIDE = {"1": 1, "2": 2, "3": 3, "MWC1": 1, "MWC2": 2, "MWC3": 3}
_SYMBOL = re.compile(r"[A-Z0-9./-]{1,16}")
SUBSCRIBED, ERROR = "subscription", "error"


class Statuses(StockDataStream):
    """Of all symbols. `on_listening` is called whenever Alpaca confirms that it will report: it
    does not repeat what happened before. The callbacks run in the stream's thread and must be
    quick.
    """

    name = "alpaca"

    def __init__(
        self,
        config: Config,
        on_report: Callable[[HaltReport], None],
        on_listening: Callable[[], None],
    ) -> None:
        super().__init__(**client_arguments(config, endpoints.data_stream_url(config)))
        self._on_report = on_report
        self._on_listening = on_listening
        self.subscribe_trading_statuses(self._take, "*")
        self.thread = StreamThread(self, "trading-statuses")

    async def _take(self, message: Any) -> None:
        try:
            report = report_of(message)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            log.warning("a trading status that cannot be read", status=message, error=str(error))
            return
        if report is not None:
            self._on_report(report)

    @override
    async def _dispatch(self, msg: dict[str, Any]) -> None:
        if msg.get("T") == SUBSCRIBED:
            self._on_listening()
        elif msg.get("T") == ERROR:
            words = f"{msg.get('msg')} ({msg.get('code')})"
            log.warning("Alpaca reports no trading statuses", error=words)
        await super()._dispatch(msg)


def report_of(message: Mapping[str, Any]) -> HaltReport | None:
    """None for a status that neither halts nor resumes, such as an imbalance. KeyError, ValueError,
    TypeError or AttributeError for one that cannot be read."""
    code = message["sc"]
    if code not in HALTED | RESUMED:
        return None
    symbol = message["S"]
    if not _SYMBOL.fullmatch(symbol):
        raise ValueError(f"no symbol: {symbol!r}")
    words, why = message.get("sm", ""), message.get("rm", "")
    reason_code = message.get("rc", "")
    return HaltReport(
        symbol=symbol,
        at=_moment(message["t"]),
        halted=code in HALTED,
        reason=_printable(
            ": ".join(filter(None, (words, why))) + (f" ({reason_code})" if reason_code else "")
        ),
        level=MARKET_WIDE.get(reason_code) if code in HALTED else None,
    )


def _printable(text: str) -> str:
    return "".join(each for each in text if each.isprintable())


def _moment(stamp: Any) -> datetime:
    """msgpack's timestamp, or a text with its zone."""
    moment = datetime.fromisoformat(stamp) if isinstance(stamp, str) else stamp.to_datetime()
    if moment.tzinfo is None:  # Python would take it for the time of this machine
        raise ValueError(f"a time without its zone: {stamp}")
    return moment.astimezone(UTC)
