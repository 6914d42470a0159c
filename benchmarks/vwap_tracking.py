"""How closely the planned schedules track the market's VWAP on real sessions, walk-forward.

Every slice trades at the market VWAP of its own five minutes (of the next minutes with a trade
when these have none, of the last ones at the end of the window): what remains is the error of the
schedule alone, in basis points of the window's market VWAP. Profiles learn from the 20 sessions
before the day; the dynamic schedule sees the minutes that have ended when its slice is due.

    python -m benchmarks.vwap_tracking [--tuning] [--bars FILE]

prints a table to stderr and one JSON document to stdout. `--tuning` takes the sessions before the
test's, on which the constants of the forecast were chosen.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.bars import MIDCAPS, MINUTE, Day, read
from execution.domain.algorithms.base import PlannedSlice, Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.child_sizing import next_child, retarget
from execution.domain.session import Session
from execution.domain.volume_forecast import dynamic_target, expected_volume
from execution.domain.volume_profile import U_SHAPE, Profile, learn, pooled

TEST_FROM = date(2024, 3, 28)
HALF_DAYS = frozenset({date(2024, 7, 3)})
LEARN_FROM = 20  # sessions
SLICE = timedelta(minutes=5)
QUANTITY = 10_000_000  # so large that whole shares do not show
WINDOWS = {"full day": (0, 390), "09:30-11:30": (0, 120), "12:00-14:00": (150, 270)}
WINDOWS |= {"14:00-16:00": (270, 390)}  # minutes of the session

Plan = Sequence[tuple[datetime, int]]


@dataclass(frozen=True, slots=True)
class Case:
    """One stock-day, and what could be known of it on the evening before."""

    day: Day
    session: Session
    own: Profile
    drawn: Profile  # towards the pooled profile of all symbols
    mean_volume: float
    expected: float


def cases(history: Mapping[str, Mapping[date, Day]], *, tuning: bool) -> Iterator[Case]:
    days = sorted({day for sessions in history.values() for day in sessions})
    for today in days:
        if (today < TEST_FROM) != tuning:
            continue
        past = {symbol: _past(sessions, today) for symbol, sessions in history.items()}
        profiles = {
            symbol: learn([day.volumes for day in sessions])
            for symbol, sessions in past.items()
            if len(sessions) == LEARN_FROM
        }
        for symbol, own in profiles.items():
            if today in history[symbol]:
                everyone = pooled(profiles.values())
                yield _case(history[symbol][today], past[symbol], own, everyone)


def _case(day: Day, past: Sequence[Day], own: Profile, everyone: Profile) -> Case:
    totals = [sum(earlier.volumes) for earlier in past]
    drawn = learn([earlier.volumes for earlier in past], prior=everyone)
    return Case(day, day.session(), own, drawn, fmean(totals), expected_volume(totals))


def _past(sessions: Mapping[date, Day], today: date) -> list[Day]:
    return [sessions[day] for day in sessions if day < today][-LEARN_FROM:]


def twap(case: Case, start: datetime, end: datetime) -> Plan:
    return _fixed(ALGOS["TWAP"].plan(_spec(case, start, end, case.own)))


def vwap(case: Case, start: datetime, end: datetime, *, profile: Profile) -> Plan:
    return _fixed(ALGOS["VWAP"].plan(_spec(case, start, end, profile)))


def dynamic(case: Case, start: datetime, end: datetime, *, profile: Profile) -> Plan:
    """Each slice aimed anew when it is due, with the fills so far perfect."""
    planned = ALGOS["VWAP"].plan(_spec(case, start, end, profile))
    sent: list[tuple[datetime, int]] = []
    done = before = 0
    for slice_ in planned:
        last = slice_.sequence + 1 == len(planned)
        share = dynamic_target(
            profile,
            case.session,
            start=start,
            end=end,
            until=end if last else planned[slice_.sequence + 1].due_at,
            minutes=case.day.volumes[: (slice_.due_at - case.session.open) // MINUTE],
            minutes_from=case.session.open,
            daily_volume=case.mean_volume,
            today=case.expected,
        )
        aim = retarget(quantity=QUANTITY, share=share, before=before)
        child = next_child(
            quantity=QUANTITY,
            filled=done,
            working=0,
            planned=aim.planned,
            cumulative=aim.cumulative,
            slices_left=len(planned) - slice_.sequence,
        )
        sent.append((slice_.due_at, child.quantity))
        done, before = done + child.quantity, aim.cumulative
    return sent


def _spec(case: Case, start: datetime, end: datetime, profile: Profile) -> Spec:
    return Spec(
        quantity=QUANTITY,
        start=start,
        end=end,
        slices=(end - start) // SLICE,
        session=case.session,
        profile=profile,
        seed=0,
        jitter=timedelta(0),
    )


def _fixed(planned: Sequence[PlannedSlice]) -> Plan:
    return [(slice_.due_at, slice_.quantity) for slice_ in planned]


def actual(case: Case, start: datetime, end: datetime) -> Plan:
    """The volumes as they came: what a perfect forecast would have planned."""
    volumes, _ = _bins(case, start, end)
    return [(start + SLICE * k, volume) for k, volume in enumerate(volumes)]


SCHEDULES: dict[str, Callable[[Case, datetime, datetime], Plan]] = {
    "equal slices (TWAP)": twap,
    "default U-shape": partial(vwap, profile=U_SHAPE),
    "learned": lambda case, start, end: vwap(case, start, end, profile=case.own),
    "learned, drawn to the pool": lambda case, start, end: vwap(
        case, start, end, profile=case.drawn
    ),
    "dynamic, learned": lambda case, start, end: dynamic(case, start, end, profile=case.own),
    "dynamic, drawn to the pool": lambda case, start, end: dynamic(
        case, start, end, profile=case.drawn
    ),
    "actual volumes": actual,
}


def deviation_bps(case: Case, start: datetime, end: datetime, plan: Plan) -> float | None:
    """Average price of the plan over the market's VWAP, in bps; None when nothing traded."""
    volumes, notionals = _bins(case, start, end)
    shares = sum(volumes)
    if not shares:
        return None
    prices = _prices(volumes, notionals)
    paid = sum(size * prices[(due - start) // SLICE] for due, size in plan)
    average = paid / sum(size for _, size in plan)
    return (average / (sum(notionals) / shares) - 1) * 10_000


def _bins(case: Case, start: datetime, end: datetime) -> tuple[list[int], list[float]]:
    first, step = (start - case.session.open) // MINUTE, SLICE // MINUTE
    edges = range(first, first + (end - start) // MINUTE, step)
    return (
        [sum(case.day.volumes[k : k + step]) for k in edges],
        [sum(case.day.notionals[k : k + step]) for k in edges],
    )


def _prices(volumes: Sequence[int], notionals: Sequence[float]) -> list[float]:
    traded = [k for k, volume in enumerate(volumes) if volume]
    price = notionals[traded[-1]] / volumes[traded[-1]]
    prices: list[float] = []
    for volume, notional in zip(reversed(volumes), reversed(notionals), strict=True):
        price = notional / volume if volume else price
        prices.append(price)
    return prices[::-1]


Errors = dict[str, dict[str, list[float]]]  # schedule -> window -> absolute deviations, bps


def measure(stock_days: Sequence[Case]) -> Errors:
    errors: Errors = {name: {window: [] for window in WINDOWS} for name in SCHEDULES}
    for case in stock_days:
        for window, (first, last) in WINDOWS.items():
            start, end = case.session.open + MINUTE * first, case.session.open + MINUTE * last
            for name, schedule in SCHEDULES.items():
                error = deviation_bps(case, start, end, schedule(case, start, end))
                if error is not None:
                    errors[name][window].append(abs(error))
    return errors


def report(errors: Errors, *, count: int, tuning: bool) -> dict[str, object]:
    return {
        "benchmark": "vwap_tracking",
        "unit": "mean absolute deviation from the market VWAP of the window, bps",
        "stock_days": count,
        "sessions": f"{'before' if tuning else 'from'} {TEST_FROM.isoformat()}",
        "slice_minutes": SLICE // MINUTE,
        "learned_from_sessions": LEARN_FROM,
        "schedules": {
            name: {
                window: {
                    "mean": round(fmean(values), 3),
                    "standard_error": round(stdev(values) / len(values) ** 0.5, 3),
                }
                for window, values in windows.items()
            }
            for name, windows in errors.items()
        },
    }


def table(errors: Errors) -> str:
    lines = [" " * 28 + "".join(f"{window:>13}" for window in WINDOWS)]
    for name, windows in errors.items():
        lines.append(f"{name:28}" + "".join(f"{fmean(windows[w]):13.2f}" for w in WINDOWS))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="VWAP tracking on real sessions")
    parser.add_argument("--bars", type=Path, default=MIDCAPS)
    parser.add_argument("--tuning", action="store_true", help="the sessions before the test's")
    options = parser.parse_args(arguments)
    if not options.bars.exists():
        print(f"{options.bars}: no such file; set DEEPSTACK_DATA to its folder", file=sys.stderr)
        return 2
    stock_days = list(cases(read(options.bars, without=HALF_DAYS), tuning=options.tuning))
    errors = measure(stock_days)
    print(table(errors), file=sys.stderr)
    print(json.dumps(report(errors, count=len(stock_days), tuning=options.tuning), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
