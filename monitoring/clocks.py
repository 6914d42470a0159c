"""What time it is, on both clocks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from execution.market import clock


@dataclass(frozen=True, slots=True)
class Moment:
    """Trading time, real time, and trading seconds per real second."""

    now: datetime
    real_now: datetime
    speed: float = 1.0

    @classmethod
    def read(cls) -> Self:
        return cls(now=clock.now(), real_now=datetime.now(UTC), speed=clock.speed())

    def real_time_at(self, at: datetime) -> datetime:
        """The real time when it will be `at` in trading time."""
        return self.real_now + (at - self.now) / self.speed

    def trading(self, real_seconds: float) -> timedelta:
        """The trading time that passes in so many seconds of real time."""
        return timedelta(seconds=real_seconds * self.speed)
