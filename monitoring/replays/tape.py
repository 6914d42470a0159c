"""A recorded market as an order that is replayed meets it: pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from execution.market.base import Quote, TapeBar
from execution.market.tick_grid import touch_around

Quotes = Callable[[datetime], Quote | None]


@dataclass(frozen=True)
class Tape:
    """The bars of one symbol, oldest first, and the quote in force at a moment."""

    bars: Sequence[TapeBar]
    quote: Quotes

    def ended(self, by: datetime) -> Sequence[TapeBar]:
        """What is known at a moment."""
        return self.bars[: bisect_right(self._ends, by)]

    def between(self, since: datetime, until: datetime) -> Sequence[TapeBar]:
        """The bars that begin at or after `since` and have ended by `until`."""
        return self.bars[bisect_left(self._starts, since) : bisect_right(self._ends, until)]

    def printing(self, at: datetime) -> TapeBar | None:
        """The bar under way, its rest included: for fills alone, never for a decision."""
        place = bisect_right(self._starts, at) - 1
        return self.bars[place] if place >= 0 and at < self.bars[place].end else None

    def mid(self, at: datetime) -> Decimal | None:
        quote = self.quote(at)
        return quote.mid if quote is not None and 0 < quote.bid <= quote.ask else None

    @cached_property
    def _starts(self) -> Sequence[datetime]:
        return [bar.start for bar in self.bars]

    @cached_property
    def _ends(self) -> Sequence[datetime]:
        return [bar.end for bar in self.bars]


def quotes_of(
    bars: Sequence[TapeBar], *, spread_bps: float, displayed: int, before: Quote | None = None
) -> Quotes:
    """Quotes of a tape that has none: around the close of the last bar that had ended, always
    `spread_bps` of it apart and `displayed` shares on either side; `before` the first of them."""
    ends = [bar.end for bar in bars]

    def quote(at: datetime) -> Quote | None:
        place = bisect_right(ends, at) - 1
        if place < 0:
            return before and replace(before, bid_size=displayed, ask_size=displayed)
        last = bars[place]
        bid, ask = touch_around(float(last.close), spread_bps)
        return Quote(last.symbol, last.end, bid, ask, displayed, displayed)

    return quote
