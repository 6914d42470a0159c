"""The same orders worked by each algorithm on real sessions, with the fills and the impact of the
paper exchange: what they cost, how much of that is chance, and which differ.

On every stock-day (those of `vwap_tracking`, planned from the 20 sessions before it) an order for
part of an average day's volume is worked in each of three windows. It is bought and sold: what the
price did by itself cancels in the mean of both, and shows in the deviation of one order. Plans,
children, limits and fills are those of `deepstack replay` (`monitoring/replays/working.py`) with
the configured defaults. Bars have no quotes: the spread is the configured one around the last bar's
close. Own executions move the price by the impact law of the paper market, a model and no
measurement; the tape does not answer them.

    python -m benchmarks.algorithms [--every N] [--impact Y] [--bars FILE] [--test-from DAY]

`--every` takes each Nth session of the test; `--impact` is the coefficient of the impact law, 0 for
none. Prints tables to stderr and one JSON document to
stdout. The intervals (95 %) are bootstrapped over days: what moves one stock's day moves others.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from random import Random
from statistics import fmean, quantiles, stdev
from typing import NamedTuple

from benchmarks.bars import MIDCAPS, MINUTE, read
from benchmarks.parent_orders import Parent, bars_of, tape_of
from benchmarks.stock_days import HALF_DAYS, TEST_FROM, Case, cases, volatilities
from deepstack.config import Config
from deepstack.config_paper import Paper, PaperImpact

ALGORITHMS = ("TWAP", "VWAP", "POV", "IS")
BASE = "VWAP"  # that the others are compared with
# Minutes of the session, and the part of an average day's volume. At the open no quote is known.
WINDOWS = {
    "10:00-12:00, 1 % of a day": (30, 150, 0.01),
    "14:00-16:00, 1 % of a day": (270, 390, 0.01),
    "09:35-16:00, 5 % of a day": (5, 390, 0.05),
}
DRAWS, SEED = 2_000, 1979


class Worked(NamedTuple):
    """One order, bought and sold, in bps, + is a cost. `cost` is the shortfall over the arrival mid
    with commissions, what is left undone at the mid of the window's end, as the mean of both sides;
    `bought` that of buying. `away`: how far the price ended from the window's VWAP but for what
    both sides paid. `filled`: of the order."""

    day: date
    cost: float
    bought: float
    away: float
    filled: float
    children: float


class Estimate(NamedTuple):
    mean: float
    low: float
    high: float


Orders = Mapping[tuple[str, str], Sequence[Worked]]  # by window and algorithm, in the same order


def worked(
    stock_days: Sequence[Case],
    path: Path,
    sigmas: Mapping[tuple[str, date], float],
    config: Config,
) -> Orders:
    bars = bars_of(path)
    found: dict[tuple[str, str], list[Worked]] = defaultdict(list)
    for case in stock_days:
        tape, key = tape_of(case, bars, config), (case.symbol, case.session.day)
        for window, (first, last, size) in WINDOWS.items():
            start, end = (case.session.open + MINUTE * minute for minute in (first, last))
            quantity = max(round(case.mean_volume * size), 1)
            parent = Parent(case, tape, sigmas.get(key), start, end, quantity, config)
            orders = [_both_sides(parent, name) for name in ALGORITHMS]
            known = [order for order in orders if order is not None]
            if len(known) < len(orders):  # else not all would be compared on the same
                continue
            for name, order in zip(ALGORITHMS, known, strict=True):
                found[window, name].append(order)
    return found


def _both_sides(parent: Parent, algorithm: str) -> Worked | None:
    """None where a side met no price, or got nothing."""
    bought, sold = (parent.worked(algorithm, side) for side in ("BUY", "SELL"))
    if bought is None or sold is None or bought.vwap_bps is None or sold.vwap_bps is None:
        return None
    return Worked(
        day=parent.case.session.day,
        cost=float(bought.shortfall_bps + sold.shortfall_bps) / 2,
        bought=float(bought.shortfall_bps),
        away=abs(float(bought.vwap_bps - sold.vwap_bps)) / 2,
        filled=(bought.filled_quantity + sold.filled_quantity) / 2 / parent.quantity,
        children=(bought.children + sold.children) / 2,
    )


def estimate(by_day: Mapping[date, Sequence[float]], *, random: Random) -> Estimate:
    """The mean over days, and the interval of it by days drawn with replacement."""
    days = [fmean(values) for values in by_day.values()]
    drawn = [fmean(random.choices(days, k=len(days))) for _ in range(DRAWS)]
    edges = quantiles(drawn, n=40)
    return Estimate(fmean(days), edges[0], edges[-1])


def _over_days(orders: Sequence[Worked], values: Sequence[float]) -> list[float]:
    by_day: dict[date, list[float]] = defaultdict(list)
    for order, value in zip(orders, values, strict=True):
        by_day[order.day].append(value)
    found = estimate(by_day, random=Random(SEED))
    return [round(each, 2) for each in found]


def figures(orders: Orders, window: str, algorithm: str) -> dict[str, float | list[float]]:
    of, base = orders[window, algorithm], orders[window, BASE]
    more = [one.cost - other.cost for one, other in zip(of, base, strict=True)]
    return {
        "orders": len(of),
        "filled": round(fmean(order.filled for order in of), 3),
        "children": round(fmean(order.children for order in of), 1),
        "cost": _over_days(of, [order.cost for order in of]),
        f"cost over {BASE}": _over_days(of, more),
        "deviation of one order": round(stdev(order.bought for order in of), 1),
        "away from the VWAP": round(fmean(order.away for order in of), 2),
    }


def table(window: str, rows: Mapping[str, Mapping[str, float | list[float]]]) -> str:
    return "\n".join([window, *(_row(name, row) for name, row in rows.items())])


def _row(algorithm: str, row: Mapping[str, float | list[float]]) -> str:
    return f"  {algorithm:6}" + "".join(f"  {name} {_cell(value)}" for name, value in row.items())


def _cell(value: float | list[float]) -> str:
    if isinstance(value, list):
        mean, low, high = value
        return f"{mean:.2f} ({low:.2f} to {high:.2f})"
    return f"{value:g}"


def _sampled(stock_days: Sequence[Case], every: int) -> Iterator[Case]:
    taken = set(sorted({case.session.day for case in stock_days})[::every])
    return (case for case in stock_days if case.session.day in taken)


def _config(coefficient: float | None) -> Config:
    """As configured, but for the impact's coefficient where one is given."""
    if coefficient is None:
        return Config()
    return Config(paper=Paper(impact=PaperImpact(coefficient=coefficient)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="algorithms compared on real sessions")
    parser.add_argument("--bars", type=Path, default=MIDCAPS)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth session")
    parser.add_argument("--test-from", type=date.fromisoformat, default=TEST_FROM)
    parser.add_argument("--impact", type=float, metavar="Y", help="else as configured")
    options = parser.parse_args(arguments)
    if not options.bars.exists():
        print(f"{options.bars}: no such file; set DEEPSTACK_DATA to its folder", file=sys.stderr)
        return 2
    history = read(options.bars, without=HALF_DAYS)
    stock_days = list(cases(history, tuning=False, test_from=options.test_from))
    taken = list(_sampled(stock_days, options.every))
    orders = worked(taken, options.bars, volatilities(history), _config(options.impact))
    found = {
        window: {name: figures(orders, window, name) for name in ALGORITHMS} for window in WINDOWS
    }
    for window, rows in found.items():
        print(table(window, rows), file=sys.stderr)
    print(json.dumps({"benchmark": "algorithms", "unit": "bps", **found}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
