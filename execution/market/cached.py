"""What a table says, cached by a process for a while."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import TypeVar

from cachetools import TTLCache, cached

T = TypeVar("T")


def cached_for(
    seconds: float, read: Callable[[], T], *, timer: Callable[[], float] = monotonic
) -> Callable[[], T]:
    """What `read` answers; it is asked again after so many seconds of real time."""
    cache: TTLCache[object, T] = TTLCache(maxsize=1, ttl=seconds, timer=timer)

    @cached(cache, lock=Lock())
    def answer() -> T:
        return read()

    return answer
