"""One-minute bars of real sessions, regular hours only, read from gzip CSV."""

import csv
import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from execution.domain.session import Session

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("DEEPSTACK_DATA") or ROOT.parent / "shared" / "data")
MIDCAPS = DATA / "us_midcaps_2024_1min.csv.gz"

MINUTE = timedelta(minutes=1)
REGULAR_MINUTES = 390
_OPENS = 9 * 60 + 30  # minute of the day in the exchange's own time
_EXTENDED = timedelta(hours=5, minutes=30), timedelta(hours=4)


@dataclass(slots=True)
class Day:
    """One symbol's session: volume, volume * price and first price of each regular minute, in
    order; zeros where nothing traded."""

    open: datetime
    volumes: list[int] = field(default_factory=lambda: [0] * REGULAR_MINUTES)
    notionals: list[float] = field(default_factory=lambda: [0.0] * REGULAR_MINUTES)
    opens: list[float] = field(default_factory=lambda: [0.0] * REGULAR_MINUTES)

    def session(self) -> Session:
        close = self.open + MINUTE * REGULAR_MINUTES
        before, after = _EXTENDED
        return Session(self.open.date(), self.open, close, self.open - before, close + after)


def read(path: Path, *, without: frozenset[date] = frozenset()) -> dict[str, dict[date, Day]]:
    """Every full session of every symbol; `without` names the half-days to leave out."""
    symbols: dict[str, dict[date, Day]] = {}
    for symbol, at, first, price, volume in _rows(path):
        minute = at.hour * 60 + at.minute - _OPENS
        if not 0 <= minute < REGULAR_MINUTES or at.date() in without:
            continue
        days = symbols.setdefault(symbol, {})
        day = days.get(at.date())
        if day is None:
            day = days[at.date()] = Day((at - MINUTE * minute).astimezone(UTC))
        day.volumes[minute] = volume
        day.notionals[minute] = price * volume
        day.opens[minute] = first
    return {symbol: dict(sorted(days.items())) for symbol, days in symbols.items()}


def _rows(path: Path) -> Iterator[tuple[str, datetime, float, float, int]]:
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            price = row.get("vwap") or row["close"]
            yield (
                row["symbol"],
                datetime.fromisoformat(row["timestamp"]),
                float(row["open"]),
                float(price),
                int(float(row["volume"])),
            )
