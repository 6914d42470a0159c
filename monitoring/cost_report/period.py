"""Which days a report is about: exchange dates, both included. Pure: today is given."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from monitoring.trading_days import readable

LONGEST = timedelta(days=366)
DAY = timedelta(days=1)


class BadPeriod(ValueError):
    """`field` is the end that was asked for wrongly: from, to or period."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Period:
    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"

    def days(self) -> Iterator[date]:
        day = self.first
        while day <= self.last:
            yield day
            day += DAY


# Up to and with today. The week begins on Monday.
NAMED: Mapping[str, Callable[[date], Period]] = {
    "today": lambda today: Period(today, today),
    "week": lambda today: Period(today - today.weekday() * DAY, today),
    "month": lambda today: Period(today.replace(day=1), today),
}


def read(first: str | None, last: str | None, name: str | None, *, today: date) -> Period:
    """`first` and `last` as YYYY-MM-DD, one of them alone for that day or until today; or the name
    of a period. Nothing given is today. BadPeriod for anything else.
    """
    if not first and not last:
        return _named(name or "today", today)
    begin = _day("from" if first else "to", first or last, today)
    end = _day("to", last or max(str(begin), str(today)), today)
    if end < begin:
        raise BadPeriod("to", f"must not be before {begin}, got {end}")
    if end - begin >= LONGEST:
        raise BadPeriod("from", f"at most {LONGEST.days} days before {end} are reported at once")
    return Period(begin, end)


def _named(name: str, today: date) -> Period:
    if name not in NAMED:
        raise BadPeriod("period", f"must be one of {', '.join(NAMED)}, got {name!r}")
    return NAMED[name](today)


def _day(field: str, text: str | None, today: date) -> date:
    try:
        return readable(text)
    except ValueError as error:
        raise BadPeriod(field, str(error)) from None


def week_of(day: date) -> str:
    """`2026-W48`, the ISO week."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"
