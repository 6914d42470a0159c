"""Moments as a person reads them: the exchange's own time, labelled ET."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
_CLOCKS_DIFFER = timedelta(minutes=1)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)")


def short_time(at: datetime, now: datetime) -> str:
    """As `exchange_time`, without the date where that is today's."""
    whole = exchange_time(at)
    return whole[len("2026-11-27 ") :] if exchange_day(at) == exchange_day(now) else whole


def exchange_day(at: datetime) -> date:
    """The exchange's date at a moment."""
    return at.astimezone(NEW_YORK).date()


def day_begins(day: date) -> datetime:
    """The exchange's midnight at which a day begins, in UTC."""
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)


def exchange_midnight(at: datetime) -> datetime:
    """When the exchange's day of a moment began, in UTC."""
    return day_begins(exchange_day(at))


def exchange_time(at: datetime, *, millis: bool = False) -> str:
    """`2026-03-02 11:00:00 ET`; in the hour that comes twice when daylight saving time ends, with
    EDT for its first and EST for its second coming."""
    try:
        local = at.astimezone(NEW_YORK)
    except OverflowError:  # the first hours of the year 1, which New York cannot say
        return at.isoformat()
    text = local.replace(tzinfo=None).isoformat(" ", "milliseconds" if millis else "seconds")
    return f"{text} ET ({local:%Z})" if _twice(local) else f"{text} ET"


def of_either_hour(at: datetime, *, now: datetime) -> datetime:
    """A moment in UTC that was told in exchange time and read as the first of the two hours in a
    night when daylight saving time ends: as the second one, unless that lies ahead of `now`."""
    second = at.astimezone(NEW_YORK).replace(fold=1).astimezone(UTC)
    return at if second > now + _CLOCKS_DIFFER else second


def readable(value: object) -> object:
    """A moment in ISO format, as events and denials keep it, in exchange time; others as given."""
    if isinstance(value, str) and _ISO.fullmatch(value):
        return exchange_time(datetime.fromisoformat(value))
    return value


def _twice(local: datetime) -> bool:
    first, second = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second
