"""Reading plain values strictly: a value means one thing or is refused, and the sentence says what
is wanted and shows what came. Numbers in text are ASCII digits without signs, blanks, underscores
or powers. Every reader raises ValueError and nothing else."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from numbers import Real
from operator import index
from typing import Any

Reader = Callable[[object], Any]

MAX_PRICE = Decimal(10_000_000)
PRICE_STEP = Decimal("0.000001")
LEAST_SHARE = Decimal("0.000001")
MAX_WINDOW_MINUTES = 24 * 60
MIN_WINDOW = timedelta(seconds=1)
LONGEST_PERSON = 150  # characters of a name
MOST_SHOWN = 80  # characters of a refused value

_WHOLE = re.compile(r"[0-9]{1,40}")
_DECIMAL = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?|\.[0-9]{1,40}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:?[0-5][0-9])"
)


def shown(value: object) -> str:
    """A refused value as a sentence may show it: short, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}... ({len(text):,} characters)"


def one_line(text: str) -> str:
    """Words as a list or a terminal may show them: breaks and control signs are blanks."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()


def refusal(wanted: str, value: object) -> ValueError:
    return ValueError(f"must be {wanted}, got {shown(value)}")


def one_of(allowed: tuple[str, ...]) -> Reader:
    def read(value: object) -> str:
        for word in allowed:
            if isinstance(value, str) and value == word:
                return word
        raise refusal(f"one of {', '.join(allowed)}", value)

    return read


def matching(pattern: re.Pattern[str], wanted: str) -> Reader:
    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise refusal(wanted, value)
        return str(value)

    return read


def whole(maximum: int, *, least: int = 1) -> Reader:
    def read(value: object) -> int:
        number = _as_whole(value)
        if number is None or not least <= number <= maximum:
            raise refusal(f"a whole number from {least:,} to {maximum:,}", value)
        return number

    return read


def _as_whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    try:
        return index(value)
    except TypeError:
        return None


def number(value: object) -> Decimal | None:
    """A finite number, exactly as it is written; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real | str | Decimal):
        return None
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        return None
    try:
        found = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return found if found.is_finite() else None


def price(value: object) -> Decimal:
    found = number(value)
    if found is not None and 0 < found <= MAX_PRICE:
        rounded = found.quantize(PRICE_STEP)
        if rounded:
            return rounded
    raise refusal(f"a price above 0 and up to {MAX_PRICE:,}", value)


def moment(value: object) -> datetime:
    """A time with its zone, in UTC."""
    found: object = value
    with suppress(ValueError, OverflowError):  # no such day, or none that UTC could say
        if isinstance(value, str):
            found = datetime.fromisoformat(value) if _MOMENT.fullmatch(value) else None
        if isinstance(found, datetime) and found.utcoffset() is not None:
            return found.astimezone(UTC)
    raise refusal("a time with its zone, like 2026-11-23T10:00:00-05:00", value)


def day(value: object) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        with suppress(ValueError):  # no such day
            return date.fromisoformat(value)
    raise refusal("a day such as 2024-06-12", value)


def share(value: object) -> float:
    found = number(value)
    if found is not None and LEAST_SHARE <= found <= 1:
        return float(found)
    raise refusal(f"a share from {LEAST_SHARE} up to 1", value)


def inner_share(value: object) -> float:
    found = number(value)
    if found is not None and LEAST_SHARE <= found < 1 and float(found) < 1:
        return float(found)
    raise refusal(f"a share from {LEAST_SHARE} to below 1", value)


def remark(value: object) -> str:
    """Why somebody does something, in a line. How it is written keeps nobody from a halt."""
    return one_line(str(value))


def person(value: object) -> str:
    """Who is recorded for something."""
    if isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= LONGEST_PERSON:
        return value
    raise refusal(f"a name of 1 to {LONGEST_PERSON} characters", value)


def switch(value: object) -> bool:
    for known, word in ((True, "true"), (False, "false")):
        if value is known or (isinstance(value, str) and value == word):
            return known
    raise refusal("true or false", value)


def minutes(value: object) -> timedelta:
    found = number(value)
    if found is not None and 0 < found <= MAX_WINDOW_MINUTES:
        length = timedelta(minutes=float(found))
        if length >= MIN_WINDOW:
            return length
    raise refusal(f"a number of minutes, from one second up to {MAX_WINDOW_MINUTES}", value)


def number_of_minutes(value: object) -> float:
    return minutes(value) / timedelta(minutes=1)
