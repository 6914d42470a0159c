"""Work that arrives faster than it can be done: the latest for each key, one hand at a time."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Waiting(Generic[V]):
    value: V
    not_before: float


class UpdateQueue(Generic[K, V]):
    """`newer(held, come)` says whether what came takes the place of what still waits."""

    def __init__(self, newer: Callable[[V, V], bool]) -> None:
        self._newer = newer
        self._waiting: dict[K, _Waiting[V]] = {}
        self._in_hand: set[K] = set()
        self._changed = threading.Condition()

    def put(self, key: K, value: V, *, delay: float = 0.0) -> None:
        """`delay` in seconds; a value put without one does not wait for one put with one."""
        come = _Waiting(value, time.monotonic() + delay)
        with self._changed:
            held = self._waiting.get(key)
            if held is not None:
                come.not_before = min(come.not_before, held.not_before)
                if not self._newer(held.value, value):
                    come.value = held.value
            self._waiting[key] = come
            self._changed.notify()

    def take(self, timeout: float) -> tuple[K, V] | None:
        """The oldest that may be done now, or None; `done(key)` must follow."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                now = time.monotonic()
                ready = [
                    (key, waiting.not_before)
                    for key, waiting in self._waiting.items()
                    if key not in self._in_hand
                ]
                for key, not_before in ready:
                    if not_before <= now:
                        self._in_hand.add(key)
                        return key, self._waiting.pop(key).value
                if now >= deadline:
                    return None
                next_at = min([deadline, *(not_before for _, not_before in ready)])
                self._changed.wait(max(next_at - now, 0.001))

    def done(self, key: K) -> None:
        with self._changed:
            self._in_hand.discard(key)
            self._changed.notify()
