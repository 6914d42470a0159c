"""Whether following the day's volume pays where the learned profile is good: on tapes that are
calmer than one mid cap's, SPY's of January 2011 and the mid caps' together as one basket.

In slices of five minutes, each at its own interval's VWAP. An order that is ahead of the market by
E - F of it when a slice has ended (E: share of the order done, F: share of the window's volume
traded) ends away from the market's VWAP by

    sum over slices of (F - E) * (next slice's price - this one's) / VWAP

A day whose price goes one way all the time adds up all its gaps, and weighs in a mean like many
others. Had each of these moves gone up or down by chance, the mean absolute deviation would have
been near

    sqrt(2 / pi * sum of their squares)

which has the same gaps and the same moves in it, and less chance.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import accumulate, pairwise
from math import pi, sqrt
from statistics import fmean, stdev

from benchmarks.bars import DATA, MINUTE, read
from benchmarks.basket import basket
from benchmarks.fill_models import own_interval
from benchmarks.schedules import EVEN, Plan
from benchmarks.stock_days import LEARN_FROM, TEST_FROM, Case, History, cases

SPY, SPY_FEWEST = DATA / "spy_2011_01_1min.csv.gz", 5  # sessions to learn from
LEARNED, FOLLOWING = "learned", "dynamic"
_BPS = 10_000

Windows = Mapping[str, tuple[int, int]]  # minutes of the session: from, to
Compared = Mapping[str, Mapping[str, Mapping[str, float]]]  # figures by measure and window


def moves(case: Case, start: datetime, end: datetime, plan: Plan) -> list[float]:
    """By how many bps the gap after each slice moved the order away from the market's VWAP, + above
    it; they add up to its deviation."""
    opened = case.session.open
    first, last = (start - opened) // MINUTE, (end - opened) // MINUTE
    starts = [(due - opened) // MINUTE for due, _ in plan]
    prices = own_interval(case, starts, (first, last))
    traded = list(accumulate(case.day.volumes[first:last], initial=0))
    done = list(accumulate(size for _, size in plan))
    market = sum(case.day.notionals[first:last]) / traded[-1]
    return [
        (traded[until - first] / traded[-1] - shares / done[-1]) * (after - price) / market * _BPS
        for shares, until, (price, after) in zip(done, starts[1:], pairwise(prices), strict=False)
    ]


def as_it_was(moved: Sequence[float]) -> float:
    return abs(sum(moved))


def either_way(moved: Sequence[float]) -> float:
    """The mean absolute sum, had each of them the sign that a coin gives."""
    return sqrt(2 / pi * sum(move * move for move in moved))


MEASURES = {"as it was": as_it_was, "moves either way": either_way}


def compared(days: Sequence[Case], windows: Windows) -> Compared:
    found: dict[str, dict[str, dict[str, float]]] = {measure: {} for measure in MEASURES}
    for name, window in windows.items():
        learned, following = (_moved(days, schedule, window) for schedule in (LEARNED, FOLLOWING))
        for measure, of in MEASURES.items():
            found[measure][name] = _figures([*map(of, learned)], [*map(of, following)])
    return found


def _moved(days: Sequence[Case], schedule: str, window: tuple[int, int]) -> list[list[float]]:
    moved = []
    for case in days:
        start, end = (case.session.open + MINUTE * minute for minute in window)
        moved.append(moves(case, start, end, EVEN[schedule](case, start, end)))
    return moved


def _figures(learned: Sequence[float], following: Sequence[float]) -> dict[str, float]:
    more = [one - other for one, other in zip(following, learned, strict=True)]
    return {
        LEARNED: round(fmean(learned), 2),
        FOLLOWING: round(fmean(following), 2),
        "difference": round(fmean(more), 2),
        "standard error": round(stdev(more) / len(more) ** 0.5, 2),
        "without the worst day": round(fmean(sorted(more)[:-1]), 2),
    }


def report(history: History, windows: Windows) -> dict[str, object]:
    """Of SPY where its file is there, and of the basket; tables to stderr."""
    tapes: dict[str, list[Case]] = {}
    if SPY.exists():
        tapes["SPY, January 2011"] = _days(read(SPY), date.min, fewest=SPY_FEWEST)
    tapes["the stocks as one basket"] = _days({"basket": basket(history)}, TEST_FROM)
    found = {title: compared(days, windows) for title, days in tapes.items()}
    for title, measures in found.items():
        print(_table(f"{title}, {len(tapes[title])} days", measures), file=sys.stderr)
    return dict(found)


def _days(history: History, test_from: date, *, fewest: int = LEARN_FROM) -> list[Case]:
    return list(cases(history, tuning=False, test_from=test_from, fewest=fewest))


def _table(title: str, measures: Compared) -> str:
    lines = []
    for measure, by_window in measures.items():
        lines.append(f"{title + ', ' + measure:54}" + "".join(f"{name:>13}" for name in by_window))
        for name in next(iter(by_window.values())):
            cells = "".join(f"{figures[name]:>13.2f}" for figures in by_window.values())
            lines.append(f"  {name:52}{cells}")
    return "\n".join(lines)
