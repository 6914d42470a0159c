"""What a source of market data answers, and the shapes of its answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, runtime_checkable

from execution.domain.costs import volume_after
from execution.domain.session import Session

MINUTE = timedelta(minutes=1)


class MarketDataUnavailable(Exception):
    """The source cannot answer now; nothing may be concluded from the silence."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Nobody may trade a symbol since then; the reason in the words of whoever entered it."""

    since: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and offer at one moment, prices per share, sizes in shares.

    `halt`: trading in the symbol is halted at the moment asked about, and the prices are those
    from before. None: it is not, or the source does not know.
    """

    symbol: str
    at: datetime
    bid: Decimal
    ask: Decimal
    bid_size: int
    ask_size: int
    halt: Halt | None = None

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2

    @property
    def spread_bps(self) -> Decimal:
        """The quoted spread over the mid, in basis points; negative when crossed."""
        return (self.ask - self.bid) / self.mid * 10_000


@dataclass(frozen=True, slots=True)
class TapeBar:
    """What traded in [start, start + length)."""

    symbol: str
    start: datetime
    length: timedelta
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    vwap: Decimal

    @property
    def end(self) -> datetime:
        return self.start + self.length


class MarketData(Protocol):
    """One market, the same for every process that asks.

    Times are trading time. A source never answers from beyond `at`.
    """

    name: str

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """The quote in force at `at`; None when the symbol has none. Its age is `at - quote.at`."""
        ...

    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        """The bars that began at or after `start` and had ended by `end`, oldest first."""
        ...

    def session(self, at: datetime) -> Session | None:
        """The session whose day (extended hours included) contains `at`; None when closed."""
        ...

    def next_session(self, at: datetime) -> Session:
        """The first session that opens after `at`."""
        ...


@runtime_checkable
class TrialMarket(MarketData, Protocol):
    """A market whose future is known to the machine, for the paper exchange to fill against."""

    def printing(self, symbol: str, at: datetime) -> TapeBar | None:
        """The minute in progress at `at`, its rest included; None when nothing trades in it.

        Whoever decides about orders must not ask.
        """
        ...


def typical(high: Decimal, low: Decimal, close: Decimal) -> Decimal:
    """What a share cost in a bar whose VWAP is not given: (high + low + close) / 3."""
    return (high + low + close) / 3


def volume(bars: Iterable[TapeBar]) -> int:
    """Shares traded in the bars."""
    return sum(bar.volume for bar in bars)


def volume_since(bars: Iterable[TapeBar], start: datetime) -> float:
    """Shares traded from `start` on; of a bar that began before it, the part that lies inside."""
    return sum(
        bar.volume * min((bar.end - start) / bar.length, 1.0) for bar in bars if bar.end > start
    )


def minute_volumes(bars: Iterable[TapeBar], session: Session, *, now: datetime) -> list[int]:
    """Volumes of the whole minutes of the session that are over by `now`."""
    minutes = [0] * max((min(now, session.close) - session.open) // MINUTE, 0)
    for bar in bars:
        index = (bar.start - session.open) // MINUTE
        if 0 <= index < len(minutes):
            minutes[index] += bar.volume
    return minutes


def since(bars: Iterable[TapeBar], arrival: datetime) -> list[TapeBar]:
    """The bars from `arrival` on, the one under way at that moment with a part of its volume."""
    return [
        replace(bar, volume=volume_after(arrival, bar.volume, end=bar.end, length=bar.length))
        for bar in bars
        if bar.end > arrival
    ]


def vwap(bars: Iterable[TapeBar]) -> Decimal | None:
    """Volume-weighted average price: sum(price * volume) / sum(volume); None without volume."""
    shares, notional = 0, Decimal(0)
    for bar in bars:
        shares += bar.volume
        notional += bar.vwap * bar.volume
    return notional / shares if shares else None
