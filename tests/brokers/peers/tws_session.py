"""A client that is connected to the TWS peer."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

MESSAGES_A_SECOND = 50


@dataclass(eq=False, slots=True)
class Session:
    writer: asyncio.StreamWriter
    client_id: int = -1
    received: deque[float] = field(default_factory=deque)
    strikes: int = 0
    lines: dict[int, str] = field(default_factory=dict)  # symbols by request id
    data_kind: int = 1  # of market data: 3 is delayed where it may not be live

    def is_too_fast(self, now: float) -> bool:
        """Whether with the message that comes `now` (seconds) it is above the rate."""
        self.received.append(now)
        while self.received[0] <= now - 1:
            self.received.popleft()
        return len(self.received) > MESSAGES_A_SECOND

    def cut(self) -> None:
        self.writer.transport.abort()
