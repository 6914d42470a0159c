"""A budget of messages: TWS cuts a client that sends more than fifty in a second."""

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum

# Longer than the second that TWS counts in, because messages bunch up on their way.
WINDOW = 1.1


class Lane(Enum):
    """Who may use how much of the budget; what is kept back is there for the lanes before."""

    CANCEL = 1.0
    REQUEST = 0.95
    PLACE = 0.8
    DATA = 0.3  # market data, which nothing waits for


class Pacer:
    """A sliding window over all messages. Safe from any thread."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = per_second
        self._clock = clock
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self, lane: Lane, messages: int = 1) -> float:
        """Take room for a message; else how many seconds until it is worth asking again."""
        allowed = int(self._most * lane.value)
        with self._lock:
            now = self._clock()
            while self._sent and self._sent[0] <= now - WINDOW:
                self._sent.popleft()
            if len(self._sent) + messages <= allowed:
                self._sent.extend([now] * messages)
                return 0.0
            # The message whose leaving the window makes room for this one.
            leaver = self._sent[min(len(self._sent) + messages - allowed, len(self._sent)) - 1]
            return max(leaver + WINDOW - now, 0.001)

    def give_back(self) -> None:
        """The last message taken for was not sent after all."""
        with self._lock:
            if self._sent:
                self._sent.pop()
