"""Moments as a person reads them: the exchange's own time, labelled ET."""

from datetime import datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def exchange_time(at: datetime, *, millis: bool = False) -> str:
    """`2026-03-02 11:00:00 ET`; in the hour that comes twice when daylight saving time ends, with
    EDT for its first and EST for its second coming."""
    local = at.astimezone(NEW_YORK)
    text = f"{local:%Y-%m-%d %H:%M:%S}"
    if millis:
        text += f".{local.microsecond // 1000:03}"
    return f"{text} ET ({local:%Z})" if _twice(local) else f"{text} ET"


def _twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() > local.replace(fold=1).utcoffset()  # type: ignore[operator]  # an aware moment has an offset
