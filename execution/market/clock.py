"""Trading time: the wall clock, except in a trial whose market runs on a clock of its own."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from django.utils import timezone

from deepstack import django_setup
from deepstack.config import current

django_setup.ensure()

from execution.models import MarketClock  # noqa: E402


@dataclass(frozen=True, slots=True)
class Pace:
    """`trading = anchor + (wall - wall_anchor) * speed`."""

    anchor: datetime
    wall_anchor: datetime
    speed: float

    def trading(self, wall: datetime) -> datetime:
        return self.anchor + timedelta(
            seconds=(wall - self.wall_anchor).total_seconds() * self.speed
        )

    def wall(self, trading: datetime) -> datetime:
        return self.wall_anchor + timedelta(
            seconds=(trading - self.anchor).total_seconds() / self.speed
        )


def now() -> datetime:
    """Trading time in UTC."""
    pace = _pace()
    return pace.trading(timezone.now()) if pace else timezone.now()


def wall_of(trading_time: datetime) -> datetime:
    """When the wall clock shows, or showed, this trading time."""
    pace = _pace()
    return pace.wall(trading_time) if pace else trading_time


def speed() -> float:
    """Seconds of trading time per second of the wall clock."""
    pace = _pace()
    return pace.speed if pace else 1.0


def start_clock(anchor: datetime, speed: float) -> None:
    """Let trading time be `anchor` now and run at `speed`, for every process that starts later.

    Raises ValueError for a naive anchor, for a speed that is not above zero, and under live
    trading, which knows the wall clock only.
    """
    if current().trading_mode == "live":
        raise ValueError("the market clock: TRADING_MODE is live, which has the wall clock only")
    if anchor.tzinfo is None:
        raise ValueError(f"anchor = {anchor}: a time with its zone is needed")
    if not 0 < speed < float("inf"):
        raise ValueError(f"speed = {speed}: a finite number above 0 is needed")
    MarketClock.objects.update_or_create(
        id=1, defaults={"anchor": anchor, "wall_anchor": timezone.now(), "speed": speed}
    )
    forget()


def forget() -> None:
    """Read the row again at the next question."""
    _pace.cache_clear()


@cache
def _pace() -> Pace | None:
    if current().trading_mode == "live":
        return None
    row = MarketClock.objects.first()
    return Pace(row.anchor, row.wall_anchor, row.speed) if row else None
