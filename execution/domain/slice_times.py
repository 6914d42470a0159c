"""When the slices of an order are due."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

SHORTEST_INTERVAL = timedelta(milliseconds=1)

_MICROSECOND = timedelta(microseconds=1)
# Two fifths of the gap to a neighbour: below a half, so that two neighbours never meet.
_LARGEST_SHIFT = 2, 5


def even_times(start: datetime, end: datetime, count: int) -> tuple[datetime, ...]:
    """`start + k * (end - start) / count` for k = 0 .. count - 1: all inside [start, end).

    Raises ValueError when the window is empty or naive, or leaves less than a millisecond each.
    """
    check_window(start, end)
    if count < 1:
        raise ValueError(f"slices = {count}: must be at least 1")
    length = end - start
    if length < SHORTEST_INTERVAL * count:
        raise ValueError(
            f"slices = {count}: too many for a window of {length.total_seconds():g} s; "
            f"at most {length // SHORTEST_INTERVAL}"
        )
    return tuple(start + length * k // count for k in range(count))


def jittered(
    times: Sequence[datetime], end: datetime, *, spread: timedelta, seed: int
) -> tuple[datetime, ...]:
    """Move each time by up to `spread` either way; the same seed gives the same times.

    A shift is also limited to 0.4 of the gap to the neighbour (or to `end`) that it approaches, so
    the order is kept and a fifth of every gap remains. The first time moves only later. `times`
    must increase strictly and lie before `end`.
    """
    if spread < timedelta(0):
        raise ValueError(f"jitter = {spread.total_seconds():g} s: must not be negative")
    if not spread:
        return tuple(times)
    draw = Random(seed).random  # noqa: S311 - reproducible on purpose, nothing secret
    limit, (part, parts) = spread // _MICROSECOND, _LARGEST_SHIFT
    moved: list[datetime] = []
    earlier = 0
    for time, following in pairwise((*times, end)):
        later = min(limit, (following - time) * part // parts // _MICROSECOND)
        shift = int(draw() * (later + earlier)) - earlier
        moved.append(time + _MICROSECOND * shift)
        earlier = later
    return tuple(moved)


def check_window(start: datetime, end: datetime) -> None:
    """Raise ValueError unless [start, end) is a window of time-zone aware moments."""
    for name, value in (("start", start), ("end", end)):
        if value.tzinfo is None:
            raise ValueError(f"{name} = {value.isoformat()}: needs a time zone")
    if end <= start:
        raise ValueError(f"end = {end.isoformat()}: must be later than start = {start.isoformat()}")
