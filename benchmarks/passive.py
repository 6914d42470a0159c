"""What a child costs that rests at the near touch first and crosses the spread at its end, against
one that crosses at once.

    python -m benchmarks.passive [--bars FILE]

Every five minutes a share is bought and another one sold. The mid is the last trade's price, the
spread is assumed. A resting child is filled where a later trade within its time goes through its
price by a cent or more: what trades at the price itself goes to those who were there before. One
that is not filled crosses at the last price of that time. Costs are over the mid at its start, in
bps; the error is that of the mean over stock-days.
"""

import argparse
import csv
import gzip
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from benchmarks.bars import MIDCAPS, REGULAR_MINUTES

SPREADS = (2, 4, 6, 10)  # bps
MINUTES = (1, 3)  # that a child rests
EVERY, FROM = 5, 10
CENT = 0.01
OPENS = 9 * 60 + 30  # minute of the exchange's day


class Traded(NamedTuple):
    high: float
    low: float
    close: float


Tape = dict[int, Traded]  # by minute of the session; none where nothing traded


def days(path: Path) -> dict[tuple[str, date], Tape]:
    found: dict[tuple[str, date], Tape] = defaultdict(dict)
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            at = datetime.fromisoformat(row["timestamp"])
            minute = at.hour * 60 + at.minute - OPENS
            if 0 <= minute < REGULAR_MINUTES:
                prices = Traded(*(float(row[name]) for name in Traded._fields))
                found[row["symbol"], at.date()][minute] = prices
    return found


def costs(tape: Tape, spread: float, minutes: int) -> Iterator[tuple[float, bool]]:
    """In bps of the mid, and whether it was filled at rest."""
    mid = None
    for minute in range(REGULAR_MINUTES - minutes):
        if mid is not None and minute >= FROM and minute % EVERY == 0:
            ahead = [tape[k] for k in range(minute, minute + minutes) if k in tape]
            for side in (1, -1):
                yield _cost(side, mid, mid * spread / 2 / 10_000, ahead)
        mid = tape[minute].close if minute in tape else mid


def _cost(side: int, mid: float, half: float, ahead: Sequence[Traded]) -> tuple[float, bool]:
    limit = mid - side * half
    through = [limit - each.low if side > 0 else each.high - limit for each in ahead]
    if through and max(through) >= CENT:
        return -half / mid * 10_000, True
    last = ahead[-1].close if ahead else mid
    return (side * (last - mid) + half) / mid * 10_000, False


def row(tapes: Sequence[Tape], spread: float, minutes: int) -> str:
    means, filled = [], []
    for tape in tapes:
        ended = list(costs(tape, spread, minutes))
        means.append(fmean(cost for cost, _ in ended))
        filled.append(fmean(at_rest for _, at_rest in ended))
    error = stdev(means) / len(means) ** 0.5
    return (
        f"{spread:6}  {minutes:7}  {spread / 2:8.2f}  {fmean(means):8.2f} +- {error:.2f}"
        f"  {fmean(filled):8.0%}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="resting first against crossing at once")
    parser.add_argument("--bars", type=Path, default=MIDCAPS)
    path = parser.parse_args(arguments).bars
    if not path.exists():
        print(f"{path}: no such file; set DEEPSTACK_DATA to its folder", file=sys.stderr)
        return 2
    tapes = [tape for tape in days(path).values() if len(tape) >= REGULAR_MINUTES // 2]
    print(f"{len(tapes)} stock-days\nspread  minutes  crossing  resting first     filled")
    for spread in SPREADS:
        for minutes in MINUTES:
            print(row(tapes, spread, minutes), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
