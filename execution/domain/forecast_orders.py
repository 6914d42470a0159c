"""VWAP orders of past sessions, worked again by other constants of the volume forecast.

What a decision sees hangs on no constant but the number of recent minutes; it is looked up once for
all constants that are tried.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from execution.domain.past_sessions import PastSession
from execution.domain.traded_sessions import MINUTE
from execution.domain.volume_forecast import Constants, Sight, Tape, seen_by
from execution.domain.volume_grid import aimed_at, believed

_BPS = 10_000


@dataclass(frozen=True, slots=True)
class PastOrder:
    """To be worked again in [start, end), by slices that were due at `times`. Something traded in
    that time: `market` is its VWAP, and `prices` the average price of the first minute with a trade
    after each slice was due."""

    past: PastSession
    start: datetime
    end: datetime
    times: Sequence[datetime]
    market: float
    prices: Sequence[float]

    def sights(self, recent_minutes: int) -> list[Sight]:
        """What each slice sees when it is due: the minutes that have ended."""
        volumes, opened = self.past.traded.volumes, self.past.session.open
        day = Tape.of(volumes, opened)
        following = (*self.times[1:], self.end)
        return [
            seen_by(
                self.past.profile,
                self.past.session,
                Tape(day.reached, len(believed(volumes[: (due - opened) // MINUTE])), opened),
                start=self.start,
                end=self.end,
                until=self.end if after == self.end else aimed_at(due, after),
                daily_volume=self.past.mean_volume,
                today=self.past.expected_volume,
                recent_minutes=recent_minutes,
            )
            for due, after in zip(self.times, following, strict=True)
        ]

    def deviation_bps(self, sights: Iterable[Sight], constants: Constants) -> float:
        """What the order paid on average over the market's VWAP, each slice aimed by what it saw
        with `constants.recent_minutes`."""
        paid = done = 0.0
        for sight, price in zip(sights, self.prices, strict=True):
            share = sight.target(constants)
            if share > done:
                paid += (share - done) * price
                done = share
        return (paid / self.market - 1) * _BPS


def past_order(
    past: PastSession, start: datetime, end: datetime, times: Sequence[datetime]
) -> PastOrder | None:
    """None where the market did not trade."""
    opened, volumes, prices = past.session.open, past.traded.volumes, past.traded.prices
    first, last = (start - opened) // MINUTE, (end - opened) // MINUTE
    traded = sum(volumes[first:last])
    if not traded:
        return None
    value = sum(v * p for v, p in zip(volumes[first:last], prices[first:last], strict=True))
    dues = [(due - opened) // MINUTE for due in times]
    paid = [prices[_next_trade(volumes, minute, first, last)] for minute in dues]
    return PastOrder(past, start, end, times, value / traded, paid)


def _next_trade(volumes: Sequence[int], minute: int, first: int, last: int) -> int:
    """The first minute with a trade from this one on; at the end of a window the last before it."""
    minutes = chain(range(minute, last), range(minute - 1, first - 1, -1))
    found: int = next(index for index in minutes if volumes[index])
    return found
