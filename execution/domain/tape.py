"""Sessions of one symbol as they were traded, for learning from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import log
from statistics import stdev

from execution.domain.session import Session

MINUTE = timedelta(minutes=1)
FEWEST_RETURNS = 5


@dataclass(frozen=True, slots=True)
class TradedDay:
    """The regular hours of a session that is over: shares minute by minute, the last price."""

    day: date
    volumes: tuple[int, ...]
    close: float


def traded_day(
    session: Session, minutes: Iterable[tuple[datetime, int, float]]
) -> TradedDay | None:
    """From (start, volume, close) of the session's minutes in any order; what lies outside the
    regular hours is left out. None when nothing traded inside."""
    volumes = [0] * (session.length // MINUTE)
    closes: dict[int, float] = {}
    for start, volume, close in minutes:
        if session.is_regular(start):
            index = (start - session.open) // MINUTE
            volumes[index] += volume
            closes[index] = close
    if not any(volumes):
        return None
    return TradedDay(session.day, tuple(volumes), closes[max(closes)])


def full_days(days: Iterable[TradedDay], *, count: int) -> list[TradedDay]:
    """The last `count` days of full length, oldest first: half-days teach another shape."""
    ordered = sorted(days, key=lambda traded: traded.day)
    longest = max((len(traded.volumes) for traded in ordered), default=0)
    return [traded for traded in ordered if len(traded.volumes) == longest][-count:]


def daily_volatility(days: Sequence[TradedDay]) -> float | None:
    """The standard deviation of the log returns from close to close; None from fewer than five, or
    when the price never moved."""
    returns = [log(after.close / before.close) for before, after in pairwise(days)]
    return (stdev(returns) or None) if len(returns) >= FEWEST_RETURNS else None
