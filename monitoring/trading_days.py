"""Exchange dates: a day of New York, from midnight to midnight."""

from datetime import date, datetime, timedelta
from typing import cast

from execution.domain import reading
from execution.domain.exchange_time import day_begins

FIRST, LAST = date(1970, 1, 1), date(2199, 12, 31)  # days that can be asked about


def bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of the day and that of the next, in UTC."""
    return day_begins(day), day_begins(day + timedelta(days=1))


def readable(value: object) -> date:
    """A day that orders may have, from text or a date; ValueError for any other."""
    a_day = isinstance(value, date) and not isinstance(value, datetime)
    day = cast(date, value) if a_day else reading.day(value)
    if not FIRST <= day <= LAST:
        raise reading.refusal(f"a day from {FIRST} to {LAST}", str(day))
    return day
