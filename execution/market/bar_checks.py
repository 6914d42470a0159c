"""What the bars of a file must be together: one a minute, each minute once, of one unit."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from math import gcd

from execution.domain.exchange_time import exchange_day
from execution.domain.traded_sessions import is_jump
from execution.market.bar_files import BarFileError, BarRow
from execution.market.calendar import NEW_YORK, ExchangeCalendar

MINUTE = timedelta(minutes=1)
# So unlikely must it be that bars of one minute happen to keep the spacing that is seen.
CHANCE = 1_000_000
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Jump:
    """From one bar to the next the price was multiplied by `ratio`: a split, or wrong data."""

    symbol: str
    line: int
    start: datetime
    before: Decimal
    after: Decimal

    def __str__(self) -> str:
        prices = f"from {self.before.normalize():f} to {self.after.normalize():f}"
        return (
            f"{self.symbol} {_eastern(self.start)} (line {self.line}): {prices}, "
            f"x{self.after / self.before:.3g}: a split, or wrong data?"
        )


@dataclass(slots=True)
class Findings:
    """What a file holds; complete once all bars were taken and `place` was called."""

    bars: int = 0
    # By symbol, the line of each minute.
    lines: dict[str, dict[datetime, int]] = field(default_factory=lambda: defaultdict(dict))
    sessions: int = 0  # of each symbol, added up
    minutes_without_a_bar: int = 0  # inside the regular hours of those sessions
    outside_regular_hours: int = 0
    outside_all_hours: int = 0  # neither regular nor extended, or on a day without a session
    jumps: list[Jump] = field(default_factory=list)

    @property
    def symbols(self) -> set[str]:
        return set(self.lines)


def checked(bars: Iterable[BarRow], found: Findings) -> Iterator[BarRow]:
    """The same bars, noted in `found` while they are taken.

    Raises BarFileError that names the lines: for a minute that comes twice, and at the end for bars
    of another spacing than one minute.
    """
    last: dict[str, BarRow] = {}
    for bar in bars:
        seen = found.lines[bar.symbol].setdefault(bar.start, bar.line)
        if seen != bar.line:
            raise BarFileError(
                f"line {bar.line}: {bar.symbol} {_eastern(bar.start)} stands in line {seen} already"
            )
        before = last.get(bar.symbol)
        if before and is_jump(float(bar.open / before.close)):
            found.jumps.append(Jump(bar.symbol, bar.line, bar.start, before.close, bar.open))
        last[bar.symbol] = bar
        found.bars += 1
        yield bar
    for symbol, minutes in found.lines.items():
        _refuse_other_spacing(symbol, minutes)


def _eastern(at: datetime) -> str:
    return f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M} ET"


def _refuse_other_spacing(symbol: str, lines: dict[datetime, int]) -> None:
    starts = sorted(lines)
    days = {exchange_day(at) for at in starts}
    if len(starts) > 2 and len(days) == len(starts):
        raise BarFileError(
            f"lines {lines[starts[0]]} and {lines[starts[1]]}: {symbol} has one bar a day; "
            "one-minute bars are needed"
        )
    gaps = [(later - earlier) // MINUTE for earlier, later in pairwise(starts)]
    common = reduce(gcd, gaps, 0)
    regular = len(gaps) >= 2 and len(set(gaps)) == 1
    if common > 1 and (regular or common ** len(gaps) >= CHANCE):
        raise BarFileError(
            f"lines {lines[starts[0]]} and {lines[starts[1]]}: the bars of {symbol} are all "
            f"{_spacing(common)} apart; one-minute bars are needed"
        )


def _spacing(minutes: int) -> str:
    for size, name in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            count = minutes // size
            return f"{count} {name}{'s' if count > 1 else ''}"
    raise AssertionError(minutes)


def place(found: Findings, calendar: ExchangeCalendar) -> None:
    """Count the sessions, their minutes without a bar, and the bars that lie outside."""
    for minutes in found.lines.values():
        _place(minutes, found, calendar)


def _place(lines: Iterable[datetime], found: Findings, calendar: ExchangeCalendar) -> None:
    inside: dict[date, int] = defaultdict(int)
    for start in lines:
        session = calendar.session(start)
        if session is None:
            found.outside_all_hours += 1
        elif session.is_regular(start):
            inside[session.day] += 1
        else:
            found.outside_regular_hours += 1
    for day, count in inside.items():
        session = calendar.session_on(day)
        if session:
            found.sessions += 1
            found.minutes_without_a_bar += session.length // MINUTE - count


def told(found: Findings) -> list[str]:
    """The findings as lines for a person."""
    sessions = f"{found.sessions:,} sessions of {len(found.symbols):,} symbols"
    gaps = f"{found.minutes_without_a_bar:,} minutes of their regular hours have no bar"
    lines = [f"{sessions}; {gaps}"]
    if found.outside_regular_hours:
        lines.append(f"{found.outside_regular_hours:,} bars lie outside the regular hours")
    if found.outside_all_hours:
        lines.append(
            f"warning: {found.outside_all_hours:,} bars lie outside every session, extended hours "
            "included: is the time zone right?"
        )
    lines += [f"warning: {jump}" for jump in found.jumps[:SHOWN]]
    if len(found.jumps) > SHOWN:
        lines.append(f"warning: {len(found.jumps) - SHOWN} more jumps of the price")
    return lines
