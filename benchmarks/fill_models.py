"""At which prices the slices of a plan are filled on one-minute bars; all in full.

`OWN` is the ideal of a slice that trades along with all of its interval; `FIRST` that of a
marketable child, which is done within its first minute; `OPEN` its strictest form: all at the first
price of that minute. A slice whose first minute is silent is filled in the next one with a trade,
or in the last one before it at the end of the window.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from benchmarks.bars import MINUTE
from benchmarks.schedules import Plan
from benchmarks.stock_days import Case

Minutes = tuple[int, int]  # of the session: from, to
Prices = Callable[[Case, Sequence[int], Minutes], Sequence[float]]


def own_interval(case: Case, starts: Sequence[int], window: Minutes) -> Sequence[float]:
    stops = [*starts[1:], window[1]]
    return [
        _vwap(case, start, stop) or _next(case, start, window, _average)
        for start, stop in zip(starts, stops, strict=True)
    ]


def first_minute(case: Case, starts: Sequence[int], window: Minutes) -> Sequence[float]:
    return [_next(case, start, window, _average) for start in starts]


def first_price(case: Case, starts: Sequence[int], window: Minutes) -> Sequence[float]:
    return [_next(case, start, window, lambda case, k: case.day.opens[k]) for start in starts]


OWN, FIRST, OPEN = "own interval", "first minute", "first price"
MODELS: dict[str, Prices] = {OWN: own_interval, FIRST: first_minute, OPEN: first_price}


def deviation_bps(
    case: Case, start: datetime, end: datetime, plan: Plan, prices: Prices = own_interval
) -> float | None:
    """Average price of the plan over the market's VWAP of the window, in bps; None when nothing
    traded."""
    opened = case.session.open
    window = (start - opened) // MINUTE, (end - opened) // MINUTE
    market = _vwap(case, *window)
    if not market:
        return None
    paid = prices(case, [(due - opened) // MINUTE for due, _ in plan], window)
    value = sum(size * price for (_, size), price in zip(plan, paid, strict=True))
    return (value / sum(size for _, size in plan) / market - 1) * 10_000


def _vwap(case: Case, start: int, stop: int) -> float | None:
    shares = sum(case.day.volumes[start:stop])
    return sum(case.day.notionals[start:stop]) / shares if shares else None


def _average(case: Case, minute: int) -> float:
    return case.day.notionals[minute] / case.day.volumes[minute]


def _next(case: Case, start: int, window: Minutes, price: Callable[[Case, int], float]) -> float:
    first, last = window
    minutes = (*range(start, last), *range(start - 1, first - 1, -1))
    return price(case, next(minute for minute in minutes if case.day.volumes[minute]))
