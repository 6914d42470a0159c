"""How often an alert on the deviation from the market's VWAP would bother somebody for nothing, on
real sessions, walk-forward.

Orders are planned as the service plans them and trade each slice, in full and without cost, at the
average price of the minute in which it is due: all of them go well. What is usual of the symbol is
learned from the 20 sessions before the day. Counted are those that end further from the market's
VWAP of their window than the threshold.

    python -m benchmarks.vwap_alerts [--tuning] [--every N] [--bars FILE]

prints a table to stderr and one JSON document to stdout.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean

from benchmarks.bars import MIDCAPS, MINUTE, Day, read
from benchmarks.stock_days import HALF_DAYS, LEARN_FROM, QUANTITY, TEST_FROM, traded
from execution.domain.algorithms.base import PlannedSlice, Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.session import Session
from execution.domain.traded_sessions import TradedDay, daily_volatility
from execution.domain.volume_profile import Profile, learn
from execution.domain.vwap_tracking import expected_deviation_bps, learn_deviations

WINDOWS = {
    "full day": (0, 390),
    "09:30-11:30": (0, 120),
    "10:30-12:30": (60, 180),
    "12:00-14:00": (150, 270),
    "14:00-16:00": (270, 390),
    "15:00-16:00": (330, 390),
}
JITTER = timedelta(seconds=30)
CONSTANTS = (10.0, 100.0)  # bps
MULTIPLES = (2.0, 3.0, 4.0, 5.0)


@dataclass(frozen=True, slots=True)
class Ended:
    """One order that went well: how far it ended from the market, and how far is usual; bps."""

    algorithm: str
    window: str
    away: float
    usual: float


def orders(
    history: Mapping[str, Mapping[date, Day]], *, tuning: bool, every: int
) -> Iterator[Ended]:
    for sessions in history.values():
        dates = list(sessions)
        for index in range(LEARN_FROM, len(dates), every):
            if (dates[index] < TEST_FROM) == tuning:
                past = [traded(sessions[day]) for day in dates[index - LEARN_FROM : index]]
                yield from _of_day(sessions[dates[index]], past)


def _of_day(day: Day, past: Sequence[TradedDay]) -> Iterator[Ended]:
    session, today = day.session(), traded(day)
    learned, volatility = learn_deviations(past), daily_volatility(past)
    profile = learn([earlier.volumes for earlier in past])
    for window, (first, last) in WINDOWS.items():
        end = session.open + MINUTE * last
        for algorithm, plan in _plans(session, profile, first, last).items():
            usual = expected_deviation_bps(
                learned,
                algorithm,
                session,
                plan,
                end=end,
                daily_volatility=volatility,
                spread_bps=0.0,
            )
            away = _away(plan, session, day, today, first, last)
            if usual is not None and away is not None:
                yield Ended(algorithm, window, away, usual)


def _plans(
    session: Session, profile: Profile, first: int, last: int
) -> dict[str, tuple[PlannedSlice, ...]]:
    """In slices of five minutes, as VWAP takes them, and in the ten that TWAP takes."""
    start, end = session.open + MINUTE * first, session.open + MINUTE * last
    spec = Spec(
        quantity=QUANTITY,
        start=start,
        end=end,
        slices=10,
        session=session,
        profile=profile,
        jitter=JITTER,
        seed=first,
    )
    by_volume = replace(spec, slices=(last - first) // 5)
    return {"VWAP": ALGOS["VWAP"].plan(by_volume), "TWAP": ALGOS["TWAP"].plan(spec)}


def _away(
    plan: Sequence[PlannedSlice], session: Session, day: Day, today: TradedDay, *window: int
) -> float | None:
    shares = sum(day.volumes[slice(*window)])
    if not shares:
        return None
    paid = sum(p.quantity * today.prices[(p.due_at - session.open) // MINUTE] for p in plan)
    average = paid / sum(part.quantity for part in plan)
    return abs(average / (sum(day.notionals[slice(*window)]) / shares) - 1) * 10_000


def shares_alerted(ended: Sequence[Ended]) -> dict[str, float]:
    by_constant = {
        f"{limit:g} bps": fmean(each.away > limit for each in ended) for limit in CONSTANTS
    }
    by_multiple = {
        f"{multiple:g} x usual": fmean(each.away > multiple * each.usual for each in ended)
        for multiple in MULTIPLES
    }
    return {name: round(share, 4) for name, share in (by_constant | by_multiple).items()}


def report(ended: Sequence[Ended]) -> dict[str, dict[str, dict[str, float]]]:
    return {
        algorithm: {
            window: shares_alerted(
                [each for each in ended if (each.algorithm, each.window) == (algorithm, window)]
            )
            for window in WINDOWS
        }
        for algorithm in ("VWAP", "TWAP")
    }


def table(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    columns = list(found["VWAP"]["full day"])
    lines = [" " * 20 + "".join(f"{name:>12}" for name in columns)]
    for algorithm, windows in found.items():
        for window, shares in windows.items():
            cells = "".join(f"{shares[name]:12.1%}" for name in columns)
            lines.append(f"{algorithm:6}{window:14}{cells}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="False alerts on the deviation from the VWAP")
    parser.add_argument("--bars", type=Path, default=MIDCAPS)
    parser.add_argument("--tuning", action="store_true", help="the sessions before the test's")
    parser.add_argument("--every", type=int, default=1, help="only every Nth session")
    options = parser.parse_args(arguments)
    if not options.bars.exists():
        print(f"{options.bars}: no such file; set DEEPSTACK_DATA to its folder", file=sys.stderr)
        return 2
    history = read(options.bars, without=HALF_DAYS)
    ended = list(orders(history, tuning=options.tuning, every=options.every))
    found = report(ended)
    print(table(found), file=sys.stderr)
    shown = {"benchmark": "vwap_alerts", "orders": len(ended), "share_alerted": found}
    print(json.dumps(shown, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
