"""What a table says, held by a process for a while."""

from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Held(Generic[T]):
    """What `read` answers; it is asked again after so many seconds of the wall clock."""

    def __init__(self, read: Callable[[], T], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._answer: T | None = None
        self._until = 0.0

    def __call__(self) -> T:
        if self._answer is None or monotonic() >= self._until:
            self._answer = self._read()
            self._until = monotonic() + self._seconds
        return self._answer
