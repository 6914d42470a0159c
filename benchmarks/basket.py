"""Several stocks' tapes as one: calm like an index fund's, over all the sessions of the stocks."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate

from benchmarks.bars import Day
from benchmarks.stock_days import LEARN_FROM, History

SHARES = 1_000_000  # of the basket that each of its stocks usually trades in a session


def basket(history: History) -> dict[date, Day]:
    """Of the stocks that traded in every session; each counts the same.

    A stock's volume is in parts of its mean over the first `LEARN_FROM` sessions, the price the
    mean of the stocks' last prices over their first ones. `opens` stay empty.
    """
    days = sorted({day for sessions in history.values() for day in sessions})
    members = [sessions for sessions in history.values() if len(sessions) == len(days)]
    parts = [_parts(list(sessions.values())) for sessions in members]
    return {day: _together([sessions[day] for sessions in members], parts) for day in days}


def _parts(days: Sequence[Day]) -> tuple[float, float]:
    """What a share counts in the basket's volume, and a dollar in its price."""
    first = days[:LEARN_FROM]
    traded = sum(sum(day.volumes) for day in first) / len(first)
    return SHARES / traded, 1 / next(iter(_prices(first[0])))


def _together(days: Sequence[Day], parts: Sequence[tuple[float, float]]) -> Day:
    each = list(zip(days, parts, strict=True))
    volumes = _sums(_scaled(day.volumes, share) for day, (share, _) in each)
    prices = _sums(_scaled(_prices(day), dollar / len(days)) for day, (_, dollar) in each)
    traded = [round(volume) for volume in volumes]
    return Day(days[0].open, traded, [v * p for v, p in zip(traded, prices, strict=True)])


def _sums(columns: Iterable[Sequence[float]]) -> list[float]:
    return [sum(minute) for minute in zip(*columns, strict=True)]


def _scaled(values: Iterable[float], by: float) -> list[float]:
    return [value * by for value in values]


def _prices(day: Day) -> Iterable[float]:
    """Minute by minute the last one known; before the first trade, that trade's."""
    paid = [n / v if v else 0.0 for v, n in zip(day.volumes, day.notionals, strict=True)]
    first = next(price for price in paid if price)
    return list(accumulate(paid, lambda last, price: price or last, initial=first))[1:]
