"""What the bars of a file must be together: one a minute, each minute once, of one unit."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import groupby, pairwise
from math import gcd

from execution.domain.exchange_time import exchange_day
from execution.domain.traded_sessions import is_jump
from execution.market.bar_files import BarFileError, BarRow
from execution.market.calendar import NEW_YORK, ExchangeCalendar

MINUTE = timedelta(minutes=1)
NEVER = datetime.max.replace(tzinfo=UTC)
# So unlikely must it be that bars of one minute happen to keep the spacing that is seen, in the
# whole file or, as a file has many days, in one of them.
CHANCE, CHANCE_OF_A_DAY = 10**6, 10**9
WIDEST = 3  # the high of a minute over its low; a small stock may double in one
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Jump:
    """From one bar to the next, or within one, the price moved further than by trading alone: a
    split, or wrong data."""

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
    # By minutes, how many sessions began and ended so much later than by the calendar.
    shifts: Counter[int] = field(default_factory=Counter)

    @property
    def symbols(self) -> set[str]:
        return set(self.lines)


def checked(
    bars: Iterable[BarRow], found: Findings, *, until: datetime = NEVER
) -> Iterator[BarRow]:
    """The same bars, noted in `found` while they are taken.

    Raises BarFileError that names the lines: for a bar after `until` or a minute that comes twice,
    and at the end for bars of another spacing than one minute.
    """
    last: dict[str, BarRow] = {}
    for bar in bars:
        if bar.start > until:
            raise BarFileError(f"line {bar.line}: {_eastern(bar.start)} has not come yet")
        seen = found.lines[bar.symbol].setdefault(bar.start, bar.line)
        if seen != bar.line:
            raise BarFileError(
                f"line {bar.line}: {bar.symbol} {_eastern(bar.start)} stands in line {seen} already"
            )
        before = last.get(bar.symbol)
        if before and is_jump(float(bar.open / before.close)):
            found.jumps.append(Jump(bar.symbol, bar.line, bar.start, before.close, bar.open))
        if bar.high >= bar.low * WIDEST:
            found.jumps.append(Jump(bar.symbol, bar.line, bar.start, bar.low, bar.high))
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
    _refuse_regular(symbol, starts, lines, CHANCE)
    for _, day in groupby(starts, exchange_day):
        _refuse_regular(symbol, list(day), lines, CHANCE_OF_A_DAY)


def _refuse_regular(
    symbol: str, starts: Sequence[datetime], lines: dict[datetime, int], chance: int
) -> None:
    gaps = [(later - earlier) // MINUTE for earlier, later in pairwise(starts)]
    common = reduce(gcd, gaps, 0)
    whole = len(gaps) >= 2 and len(set(gaps)) == 1 and len(starts) == len(lines)
    if common > 1 and (whole or common ** len(gaps) >= chance):
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
    for day, starts in groupby(sorted(lines), exchange_day):
        _place_day(day, list(starts), found, calendar)


def _place_day(
    day: date, starts: Sequence[datetime], found: Findings, calendar: ExchangeCalendar
) -> None:
    session = calendar.session_on(day)
    regular = [start for start in starts if session and session.is_regular(start)]
    extended = [start for start in starts if session and session.is_extended(start)]
    found.outside_all_hours += len(starts) - len({*regular, *extended})
    found.outside_regular_hours += len({*extended} - {*regular})
    if session is None or not regular:
        return
    found.sessions += 1
    found.minutes_without_a_bar += session.length // MINUTE - len(regular)
    late = starts[0] - session.open
    if late and late == starts[-1] + MINUTE - session.close:
        found.shifts[late // MINUTE] += 1


def _shift(found: Findings) -> str:
    """A warning where half of the sessions begin and end as much later than they should."""
    [(minutes, sessions)] = found.shifts.most_common(1) or [(0, 0)]
    if not minutes or sessions * 2 < found.sessions:
        return ""
    when = f"{abs(minutes)} minutes {'later' if minutes > 0 else 'earlier'}"
    why = "is a stamp the end of its minute?" if minutes == 1 else "is the time zone right?"
    return f"warning: {sessions:,} sessions begin and end {when} than the exchange's: {why}"


def in_words(found: Findings) -> list[str]:
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
    lines += filter(None, [_shift(found)])
    lines += [f"warning: {jump}" for jump in found.jumps[:SHOWN]]
    if len(found.jumps) > SHOWN:
        lines.append(f"warning: {len(found.jumps) - SHOWN} more jumps of the price")
    return lines
