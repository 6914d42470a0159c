"""Sessions of one symbol as they were traded, for learning from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import log
from statistics import stdev
from typing import NamedTuple

from execution.domain.session import Session

MINUTE = timedelta(minutes=1)
FEWEST_RETURNS = 5
# A price that is multiplied by more than this, or divided, from one bar to the next is taken for a
# split: more than a day's news moves a price, less than the smallest usual split, three for two.
JUMP = 1.4


class Minute(NamedTuple):
    """One bar: shares, its last price, and what a share cost in it on average."""

    start: datetime
    volume: int
    close: float
    average: float


@dataclass(frozen=True, slots=True)
class TradedDay:
    """The regular hours of a session that is over, minute by minute: shares, and their average
    price, which stands until the next minute with a trade; the last price of all."""

    day: date
    volumes: tuple[int, ...]
    prices: tuple[float, ...]
    close: float


def traded_day(session: Session, minutes: Iterable[Minute]) -> TradedDay | None:
    """From the session's minutes in any order; what lies outside the regular hours is left out.
    None when nothing traded inside."""
    volumes = [0] * (session.length // MINUTE)
    found: dict[int, Minute] = {}
    for minute in minutes:
        if session.is_regular(minute.start):
            index = (minute.start - session.open) // MINUTE
            volumes[index] += minute.volume
            found[index] = minute
    if not any(volumes):
        return None
    price = found[min(found)].average
    prices = []
    for index in range(len(volumes)):
        price = found[index].average if index in found else price
        prices.append(price)
    return TradedDay(session.day, tuple(volumes), tuple(prices), found[max(found)].close)


def full_days(days: Iterable[TradedDay], *, count: int) -> list[TradedDay]:
    """The last `count` days of full length, oldest first: half-days teach another shape."""
    ordered = sorted(days, key=lambda traded: traded.day)
    longest = max((len(traded.volumes) for traded in ordered), default=0)
    return [traded for traded in ordered if len(traded.volumes) == longest][-count:]


def is_jump(ratio: float) -> bool:
    """Whether a price may not have been multiplied by `ratio` by trading alone."""
    return not 1 / JUMP < ratio < JUMP


def adjusted(days: Sequence[TradedDay]) -> list[TradedDay]:
    """The days, oldest first, in the shares of the last one: before each overnight jump, prices are
    multiplied by its ratio and volumes divided by it, as for a split."""
    ratio, made = 1.0, []
    for index in range(len(days) - 1, -1, -1):
        day = days[index]
        made.append(day if ratio == 1 else _scaled(day, ratio))
        step = day.prices[0] / days[index - 1].close if index else 1.0
        ratio *= step if is_jump(step) else 1.0
    return made[::-1]


def _scaled(day: TradedDay, ratio: float) -> TradedDay:
    return TradedDay(
        day.day,
        tuple(round(volume / ratio) for volume in day.volumes),
        tuple(price * ratio for price in day.prices),
        day.close * ratio,
    )


def daily_volatility(days: Sequence[TradedDay]) -> float | None:
    """The standard deviation of the log returns from close to close; None from fewer than five, or
    when the price never moved."""
    returns = [log(after.close / before.close) for before, after in pairwise(days)]
    return (stdev(returns) or None) if len(returns) >= FEWEST_RETURNS else None
