"""Which symbols the exchange has halted. The trading states of `execution.risk.kill_switch` are
another matter: those are set by our own people."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from execution.market.base import Halt, TapeBar
from execution.market.cached import cached_for

HOLD_SECONDS = 1.0
ALL = "*"  # for a symbol: the whole market is halted


@dataclass(frozen=True, slots=True)
class Span:
    """Nothing trades in [start, end); end None: the halt is not over."""

    start: datetime
    end: datetime | None = None
    reason: str = ""

    def contains(self, at: datetime) -> bool:
        return self.start <= at and (self.end is None or at < self.end)

    def touches(self, bar: TapeBar) -> bool:
        return self.start < bar.end and (self.end is None or bar.start < self.end)


Spans = Mapping[str, Sequence[Span]]  # by symbol


class TradingHalts:
    """What `spans` answers whenever it is asked; of a moment no more than was known then, so that
    neither a later halt nor the end of one is given away."""

    def __init__(self, spans: Callable[[], Spans] = dict) -> None:
        self._spans = spans

    def at(self, symbol: str, at: datetime) -> Halt | None:
        spans = self._of(symbol)
        return next((Halt(span.start, span.reason) for span in spans if span.contains(at)), None)

    def as_known_now(self) -> "TradingHalts":
        """These, without asking again: for where no query may be made."""
        spans = self._spans()
        return TradingHalts(lambda: spans)

    def traded(self, symbol: str, bars: Sequence[TapeBar]) -> Sequence[TapeBar]:
        """The bars without those that a halt touches, be it for a part of them."""
        spans = self._of(symbol)
        return list(_outside(spans, bars)) if spans else bars

    def touch(self, bar: TapeBar) -> bool:
        return any(span.touches(bar) for span in self._of(bar.symbol))

    def _of(self, symbol: str) -> Sequence[Span]:
        spans = self._spans()
        return (*spans.get(symbol, ()), *spans.get(ALL, ()))


@cache
def stored() -> TradingHalts:
    """Those of the database, read again after a second."""
    return TradingHalts(cached_for(HOLD_SECONDS, _stored_spans))


def _outside(spans: Sequence[Span], bars: Sequence[TapeBar]) -> Iterator[TapeBar]:
    return (bar for bar in bars if not any(span.touches(bar) for span in spans))


def _stored_spans() -> Spans:
    from execution.models import MarketHalt

    spans: dict[str, list[Span]] = defaultdict(list)
    rows = MarketHalt.objects.order_by("start_at").values_list
    for symbol, start, end, reason in rows("symbol", "start_at", "end_at", "reason"):
        spans[symbol].append(Span(start, end, reason))
    return dict(spans)
