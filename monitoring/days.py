"""Exchange dates: a day of New York, from midnight to midnight."""

from datetime import date, datetime, time, timedelta

from execution.market.calendar import NEW_YORK, new_york


def day_of(at: datetime) -> date:
    return at.astimezone(NEW_YORK).date()


def bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of the day and that of the next, in UTC."""
    return new_york(day, time()), new_york(day + timedelta(days=1), time())
