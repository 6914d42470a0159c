"""How closely the planned schedules track the market's VWAP on real sessions, walk-forward.

In basis points of the window's market VWAP, with each slice filled as `benchmarks/fill_models.py`
says. Profiles learn from the 20 sessions before the day; the dynamic schedules see the minutes that
have ended when their slice is due, by the rule of the service itself.

    python -m benchmarks.vwap_tracking [--tuning] [--plain] [--bars FILE] [--test-from DAY]
                                       [--fewest N] [--pov]

prints tables to stderr and one JSON document to stdout; at the end, whether following the day pays
on calmer tapes (`benchmarks/following.py`). `--tuning` takes the sessions before the test's, on
which the constants of the forecast were chosen; `--plain` takes special days for days like all
others; `--fewest` learns from fewer than 20 sessions where there are no more; `--pov` prints POV
alone.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import fmean, median, quantiles, stdev
from typing import NamedTuple

from benchmarks import following
from benchmarks.bars import MIDCAPS, MINUTE, read
from benchmarks.fill_models import FIRST, MODELS, OPEN, OWN, deviation_bps
from benchmarks.schedules import EVEN, FINE, SLICE, pov
from benchmarks.stock_days import HALF_DAYS, LEARN_FROM, QUANTITY, TEST_FROM, Case, cases
from deepstack.config import Pov
from execution.domain.participation import Pace

WINDOWS = {"full day": (0, 390), "09:30-11:30": (0, 120), "12:00-14:00": (150, 270)}
WINDOWS |= {"14:00-16:00": (270, 390), "15:30-16:00": (360, 390)}  # minutes of the session
PRODUCT = "dynamic, finer"  # what the service does by default
WORST = 5
RATE = float(Pov().participation)
PACES = {
    f"{RATE:.0%}": Pace(RATE, RATE * (1 + Pov().close_allowance)),
    f"at most {RATE:.0%}": Pace(RATE, RATE),  # of an order that says its max_participation
}


class Ended(NamedTuple):
    """One order: how far it ended from the market, in bps, + above it; and its slices."""

    symbol: str
    day: date
    schedule: str
    window: str
    fills: str
    bps: float
    slices: int


def ended(stock_days: Sequence[Case]) -> Iterator[Ended]:
    for case in stock_days:
        for window, (first, last) in WINDOWS.items():
            start, end = case.session.open + MINUTE * first, case.session.open + MINUTE * last
            for name, schedule in (EVEN | FINE).items():
                plan = schedule(case, start, end)
                for fills, prices in MODELS.items():
                    away = deviation_bps(case, start, end, plan, prices)
                    if away is not None:
                        about = case.symbol, case.session.day, name, window, fills
                        yield Ended(*about, away, len(plan))


Errors = Mapping[tuple[str, str, str], Sequence[Ended]]  # by fills, schedule and window


def grouped(orders: Sequence[Ended]) -> Errors:
    errors: dict[tuple[str, str, str], list[Ended]] = {}
    for order in orders:
        errors.setdefault((order.fills, order.schedule, order.window), []).append(order)
    return errors


def mean(orders: Sequence[Ended]) -> float:
    return fmean(abs(order.bps) for order in orders)


def by_symbol(errors: Errors) -> dict[str, dict[str, float]]:
    """Of the product, at first-minute fills."""
    symbols = sorted({order.symbol for order in errors[FIRST, PRODUCT, "full day"]})
    return {
        symbol: {
            window: round(
                mean([o for o in errors[FIRST, PRODUCT, window] if o.symbol == symbol]), 2
            )
            for window in WINDOWS
        }
        for symbol in symbols
    }


def worst(errors: Errors) -> dict[str, list[str]]:
    return {
        window: [
            f"{order.symbol} {order.day} {order.bps:+.1f}"
            for order in sorted(errors[FIRST, PRODUCT, window], key=lambda o: -abs(o.bps))[:WORST]
        ]
        for window in ("full day", "14:00-16:00")
    }


def pov_reached(stock_days: Sequence[Case], pace: Pace) -> dict[str, dict[str, float]]:
    """What POV orders did, over their share of all that the market traded in their window; how
    often they were above their cap of what had traded by then, but for one share; and how many
    ended above their share."""
    found = {}
    for window, (first, last) in WINDOWS.items():
        parts, decisions, above = [], 0, 0
        for case in stock_days:
            start, end = case.session.open + MINUTE * first, case.session.open + MINUTE * last
            reached = pov(case, start, end, pace=pace)
            traded = sum(case.day.volumes[first:last])
            asked = min(pace.share * traded, QUANTITY)
            parts.extend([(reached[-1][0] - 1) / asked] if traded else [])
            decisions += len(reached)
            above += sum(share > pace.cap for _, share in reached)
        found[window] = {
            "median": round(median(parts), 4),
            "5th percentile": round(quantiles(parts, n=20)[0], 4),
            "95th percentile": round(quantiles(parts, n=20)[-1], 4),
            "ended above its share": sum(part > 1 for part in parts) / len(parts),
            "decisions": decisions,
            "above the cap": above,
        }
    return found


def report(
    errors: Errors, reached: Mapping[str, object], count: int, sessions: str
) -> dict[str, object]:
    return {
        "benchmark": "vwap_tracking",
        "unit": "mean absolute deviation from the market VWAP of the window, bps",
        "stock_days": count,
        "sessions": sessions,
        "slice_minutes": SLICE // MINUTE,
        "learned_from_sessions": LEARN_FROM,
        "fills": {
            fills: {
                name: {window: _figures(errors[fills, name, window]) for window in WINDOWS}
                for name in EVEN | FINE
            }
            for fills in MODELS
        },
        "by_symbol": by_symbol(errors),
        "worst_days": worst(errors),
        "pov_reached": reached,
    }


def _figures(orders: Sequence[Ended]) -> dict[str, float]:
    away = [abs(order.bps) for order in orders]
    return {
        "mean": round(fmean(away), 3),
        "standard_error": round(stdev(away) / len(away) ** 0.5, 3),
        "slices": round(fmean(order.slices for order in orders), 1),
    }


def tables(errors: Errors) -> str:
    """The figures of each way of filling, then those of each stock and of the worst days."""
    lines: list[str] = []
    for fills, names in ((OWN, EVEN | FINE), (FIRST, EVEN | FINE), (OPEN, ("dynamic", PRODUCT))):
        lines.append(f"{'each slice at its ' + fills:34}" + _cells(WINDOWS))
        lines.extend(
            f"  {name:32}" + _row([mean(errors[fills, name, w]) for w in WINDOWS]) for name in names
        )
    lines.append(
        f"{'slices, ' + PRODUCT:34}"
        + _row([fmean(order.slices for order in errors[FIRST, PRODUCT, w]) for w in WINDOWS], 0)
    )
    lines.append(f"{PRODUCT + ', ' + FIRST + ', by stock':34}")
    for symbol, figures in by_symbol(errors).items():
        lines.append(f"  {symbol:32}" + _row(list(figures.values())))
    for window, days in worst(errors).items():
        lines.append(f"worst, {window}: " + "; ".join(days))
    return "\n".join(lines)


def pov_table(title: str, reached: Mapping[str, Mapping[str, float]]) -> str:
    names = ("median", "5th percentile", "95th percentile", "ended above its share")
    lines = [f"{'POV, ' + title + ': done / asked':34}" + _cells(WINDOWS)]
    lines.extend(
        f"  {name:32}" + _row([reached[window][name] for window in WINDOWS], 3) for name in names
    )
    above, decisions = (
        sum(int(each[name]) for each in reached.values()) for name in ("above the cap", "decisions")
    )
    lines.append(f"  above the cap: {above} of {decisions:,} decisions")
    return "\n".join(lines)


def _cells(texts: Sequence[str] | Mapping[str, object]) -> str:
    return "".join(f"{text:>13}" for text in texts)


def _row(values: Sequence[float], digits: int = 2) -> str:
    return _cells([f"{value:.{digits}f}" for value in values])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="VWAP tracking on real sessions")
    parser.add_argument("--bars", type=Path, default=MIDCAPS)
    parser.add_argument("--tuning", action="store_true", help="the sessions before the test's")
    parser.add_argument("--test-from", type=date.fromisoformat, default=TEST_FROM)
    parser.add_argument("--fewest", type=int, default=LEARN_FROM, help="sessions learned from")
    parser.add_argument("--plain", action="store_true", help="special days as all others")
    parser.add_argument("--pov", action="store_true", help="the POV orders alone")
    options = parser.parse_args(arguments)
    if not options.bars.exists():
        print(f"{options.bars}: no such file; set DEEPSTACK_DATA to its folder", file=sys.stderr)
        return 2
    history = read(options.bars, without=HALF_DAYS)
    stock_days = list(
        cases(
            history,
            tuning=options.tuning,
            test_from=options.test_from,
            fewest=options.fewest,
            special=not options.plain,
        )
    )
    reached = {title: pov_reached(stock_days, pace) for title, pace in PACES.items()}
    for title, figures in reached.items():
        print(pov_table(title, figures), file=sys.stderr)
    if options.pov:
        print(json.dumps(reached, indent=2))
        return 0
    errors = grouped(list(ended(stock_days)))
    print(tables(errors), file=sys.stderr)
    sessions = f"{'before' if options.tuning else 'from'} {options.test_from}"
    found = report(errors, reached, len(stock_days), sessions)
    if options.bars == MIDCAPS and not options.tuning:
        found["following_against_learned"] = following.report(history, WINDOWS)
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
