"""The sessions of the New York Stock Exchange, and of a trial market that never closes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache

from execution.domain.exchange_time import NEW_YORK as NEW_YORK
from execution.domain.exchange_time import exchange_day
from execution.domain.session import Session
from execution.market.cached import cached_for

EXTENDED_OPEN = time(4)
LATEST_CLOSE = time(20)
YEARS = (1970, 2199)  # what the published calendar can answer for lies between them
EXTENDED_AFTER_CLOSE = timedelta(hours=4)  # 20:00, and 17:00 on a half-day
OVERRIDES_HOLD_SECONDS = 60.0
LOOK_AHEAD_DAYS = 30  # longer than any closure of the last hundred years


@dataclass(frozen=True, slots=True)
class Hours:
    """The regular hours of one day in New York time; None keeps the published ones."""

    closed: bool = False
    open: time | None = None
    close: time | None = None


Overrides = Mapping[date, Hours]


class ExchangeCalendar:
    """XNYS: holidays, half-days and daylight saving as published, then the override table."""

    def __init__(self, overrides: Callable[[], Overrides] | None = None) -> None:
        # Read again after a minute, so that a closure of today is noticed.
        self._overrides = overrides or cached_for(OVERRIDES_HOLD_SECONDS, _stored_overrides)

    def session(self, at: datetime) -> Session | None:
        """The session whose day, extended hours included, contains `at`."""
        session = self.session_on(exchange_day(at))
        return session if session and session.is_extended(at) else None

    def next_session(self, at: datetime) -> Session:
        """The first session whose regular hours open after `at`."""
        first = exchange_day(at)
        for ahead in range(LOOK_AHEAD_DAYS):
            session = self.session_on(first + timedelta(days=ahead))
            if session and session.open > at:
                return session
        raise LookupError(f"no session within {LOOK_AHEAD_DAYS} days of {at}")

    def session_on(self, day: date) -> Session | None:
        """The session of a New York day; None when the exchange is closed."""
        published = _published(day)
        hours = self._overrides().get(day)
        return _overridden(day, published, hours) if hours else published


def wrong_year(year: int) -> str:
    """Why nothing of the market can be in a year; empty if it can. PostgreSQL keeps a moment of the
    year 10000, UTC, that Python cannot read back."""
    if YEARS[0] < year < YEARS[1]:
        return ""
    return f"a year between {YEARS[0]} and {YEARS[1]} is allowed, got {year}"


def wrong_hours(day: date, hours: Hours) -> str:
    """Why a day cannot have these hours; empty if it can."""
    if wrong := wrong_year(day.year):
        return wrong
    if hours.closed:
        given = hours.open or hours.close
        return "a day that is closed has no hours: leave open and close empty" if given else ""
    session = ExchangeCalendar(lambda: {day: hours}).session_on(day)
    if session is None:
        return f"{day} is no trading day by the calendar: give both open and close"
    opens, closes = (at.astimezone(NEW_YORK).time() for at in (session.open, session.close))
    if EXTENDED_OPEN <= opens < closes <= LATEST_CLOSE:
        return ""
    return (
        f"regular hours from {opens:%H:%M} to {closes:%H:%M} ET cannot be: between "
        f"{EXTENDED_OPEN:%H:%M} and {LATEST_CLOSE:%H:%M}, and the close after the open; "
        "one o'clock in the afternoon is 13:00"
    )


def always_open(day: date) -> Session:
    """The session of the trial market: from midnight to midnight, UTC."""
    midnight = datetime.combine(day, time(), UTC)
    end = midnight + timedelta(days=1)
    return Session(day, midnight, end, midnight, end, always=True)


def new_york(day: date, at: time) -> datetime:
    """A New York time of day, in UTC."""
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


def _session(day: date, opens: datetime, closes: datetime) -> Session:
    return Session(
        day=day,
        open=opens,
        close=closes,
        extended_open=new_york(day, EXTENDED_OPEN),
        extended_close=closes + EXTENDED_AFTER_CLOSE,
    )


def _overridden(day: date, published: Session | None, hours: Hours) -> Session | None:
    if hours.closed:
        return None
    opens = new_york(day, hours.open) if hours.open else published and published.open
    closes = new_york(day, hours.close) if hours.close else published and published.close
    return _session(day, opens, closes) if opens and closes else None


@lru_cache(maxsize=1024)
def _published(day: date) -> Session | None:
    hours = _year(day.year).get(day)
    return _session(day, *hours) if hours else None


@cache
def _year(year: int) -> dict[date, tuple[datetime, datetime]]:
    """Opening and closing times by day.

    A calendar built without bounds ends one year after it was built, which a process that runs
    for long would outlive; a named year is the same whenever it is built. The import costs most
    of a second and is left to those who ask for the exchange's hours.
    """
    from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

    schedule = XNYSExchangeCalendar(start=f"{year}-01-01", end=f"{year}-12-31").schedule
    return {
        row.Index.date(): (row.open.to_pydatetime(), row.close.to_pydatetime())
        for row in schedule.itertuples()
    }


def _stored_overrides() -> Overrides:
    from execution.models import CalendarOverride

    return {
        row.day: Hours(closed=row.closed, open=row.open, close=row.close)
        for row in CalendarOverride.objects.all()
    }
