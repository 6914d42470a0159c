"""Days that trade unlike others, at the close or as a whole: which the calendar names, and what
earlier days of their kind taught."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import exp, log
from statistics import fmean, stdev
from typing import Any

from execution.domain.volume_profile import Profile

# Minutes before the close that a special day changes: index funds trade there.
CLOSING_MINUTES = 10
# A kind's mean counts beside so many days without any effect: two days teach half of it.
_NO_EFFECT_DAYS = 2
# A mean within so many standard errors of nothing is nothing.
_ERRORS = 2.0
# The closing minutes hold at most this share of a day, whatever was learned.
_LARGEST_CLOSE = 0.5

_ONE_DAY = timedelta(days=1)
_FRIDAY = 4
_JUNE = 6
_QUARTER_ENDS = (3, 6, 9, 12)

IsSession = Callable[[date], bool]


class DayKind(StrEnum):
    RECONSTITUTION = "RECONSTITUTION"  # of the Russell indexes: the fourth Friday of June
    QUARTERLY_EXPIRY = "QUARTERLY_EXPIRY"  # of index futures and options, with index reviews
    MONTH_END = "MONTH_END"
    EXPIRY = "EXPIRY"  # of the month's stock options: the third Friday
    HALF_DAY = "HALF_DAY"
    AFTER_HOLIDAY = "AFTER_HOLIDAY"


def kinds_of(day: date, is_session: IsSession, *, half_day: bool) -> tuple[DayKind, ...]:
    """What a session is known to be in advance, the strongest first; empty for one like any other.
    What falls on a Friday without a session is on the session before it."""
    third = day == _friday(day, 3, is_session)
    quarterly = day.month in _QUARTER_ENDS
    found = {
        DayKind.RECONSTITUTION: day.month == _JUNE and day == _friday(day, 4, is_session),
        DayKind.QUARTERLY_EXPIRY: third and quarterly,
        DayKind.MONTH_END: not any(is_session(later) for later in _rest_of_month(day)),
        DayKind.EXPIRY: third and not quarterly,
        DayKind.HALF_DAY: half_day,
        DayKind.AFTER_HOLIDAY: _follows_holiday(day, is_session),
    }
    return tuple(kind for kind in DayKind if found[kind])


def _friday(day: date, number: int, is_session: IsSession) -> date:
    first = day.replace(day=1)
    found = first + _ONE_DAY * ((_FRIDAY - first.weekday()) % 7 + 7 * (number - 1))
    while found > first and not is_session(found):
        found -= _ONE_DAY
    return found


def _rest_of_month(day: date) -> Iterator[date]:
    later = day + _ONE_DAY
    while later.month == day.month:
        yield later
        later += _ONE_DAY


def _follows_holiday(day: date, is_session: IsSession) -> bool:
    before = day - _ONE_DAY
    while before.weekday() > _FRIDAY:
        before -= _ONE_DAY
    return not is_session(before)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one special day did: how many times the expected volume traded, and how many times the
    learned share of the day in its last minutes. Of several symbols, their geometric means."""

    volume: float
    closing: float

    @classmethod
    def of(cls, volumes: Sequence[int], profile: Profile, expected: float) -> "Seen | None":
        """Of one symbol: its volumes minute by minute, and what was known of it before: its profile
        and the expected volume, in shares. None where nothing traded in the last minutes."""
        whole, closing = sum(volumes), sum(volumes[-CLOSING_MINUTES:])
        usual = 1 - profile.reached(_closing_from(len(volumes)))
        if not (closing and usual > 0):
            return None
        return cls(whole / expected, closing / whole / usual)

    @classmethod
    def mean(cls, symbols: Sequence["Seen"]) -> "Seen":
        return cls(
            exp(fmean(log(each.volume) for each in symbols)),
            exp(fmean(log(each.closing) for each in symbols)),
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """What a kind of day does to its expected volume, and to the share of its closing minutes; 1 is
    nothing. `days`: that it was learned from."""

    kind: DayKind
    volume: float
    closing: float
    days: int

    def as_json(self) -> dict[str, object]:
        """As plain values, which `from_json` takes back."""
        return {
            "kind": str(self.kind),
            "volume": self.volume,
            "closing": self.closing,
            "days": self.days,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Effect":
        return cls(DayKind(data["kind"]), data["volume"], data["closing"], data["days"])


def effect(kinds: Iterable[DayKind], days: Iterable[tuple[DayKind, Seen]]) -> Effect | None:
    """Of a day of these `kinds`, by what earlier `days` taught of the first of them that has any
    effect; None where none has."""
    earlier = list(days)
    for kind in kinds:
        of_kind = [seen for other, seen in earlier if other == kind]
        volume = _drawn([log(seen.volume) for seen in of_kind])
        closing = _drawn([log(seen.closing) for seen in of_kind])
        if volume or closing:
            return Effect(kind, exp(volume), exp(closing), len(of_kind))
    return None


def _drawn(logs: Sequence[float]) -> float:
    """The mean, drawn to 0 where there are few; 0 where it is within its error."""
    if len(logs) < 2:
        return 0.0
    mean = fmean(logs)
    if abs(mean) <= _ERRORS * stdev(logs) / len(logs) ** 0.5:
        return 0.0
    return mean * len(logs) / (len(logs) + _NO_EFFECT_DAYS)


def reshaped(profile: Profile, closing: float, minutes: int) -> Profile:
    """The profile of a session of so many minutes with `closing` times the share in its closing
    minutes, at most half of the day; the rest keeps its shape."""
    cut = _closing_from(minutes)
    usual = 1 - profile.reached(cut)
    if closing == 1 or not 0 < usual < _LARGEST_CLOSE:
        return profile
    wanted = min(usual * closing, _LARGEST_CLOSE)
    edges = tuple(sorted({*profile.edges, cut}))
    shares = [
        share * (wanted / usual if left >= cut else (1 - wanted) / (1 - usual))
        for left, share in zip(edges, profile.shares_between(edges), strict=False)
    ]
    return Profile(edges, tuple(shares))


def _closing_from(minutes: int) -> float:
    return 1 - CLOSING_MINUTES / minutes
