"""Trading time: real time, except in a trial whose market runs on a clock of its own."""

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
    """`trading = anchor + (real - real_anchor) * speed`."""

    anchor: datetime
    real_anchor: datetime
    speed: float

    def trading(self, real: datetime) -> datetime:
        return self.anchor + timedelta(
            seconds=(real - self.real_anchor).total_seconds() * self.speed
        )

    def real(self, trading: datetime) -> datetime:
        return self.real_anchor + timedelta(
            seconds=(trading - self.anchor).total_seconds() / self.speed
        )


def now() -> datetime:
    """Trading time in UTC."""
    pace = _pace()
    return pace.trading(timezone.now()) if pace else timezone.now()


def real_time_of(trading_time: datetime) -> datetime:
    """The real time of this trading time."""
    pace = _pace()
    return pace.real(trading_time) if pace else trading_time


def speed() -> float:
    """Seconds of trading time per second of real time."""
    pace = _pace()
    return pace.speed if pace else 1.0


def start_clock(anchor: datetime, speed: float) -> None:
    """Let trading time be `anchor` now and run at `speed`, for every process that starts later.

    Raises ValueError for a naive anchor, for a speed that is not above zero, and under live
    trading, which knows real time only.
    """
    if current().trading_mode == "live":
        raise ValueError("the market clock: TRADING_MODE is live, which has real time only")
    if anchor.tzinfo is None:
        raise ValueError(f"anchor = {anchor}: a time with its zone is needed")
    if not 0 < speed < float("inf"):
        raise ValueError(f"speed = {speed}: a finite number above 0 is needed")
    MarketClock.objects.update_or_create(
        id=1, defaults={"anchor": anchor, "real_anchor": timezone.now(), "speed": speed}
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
    return Pace(row.anchor, row.real_anchor, row.speed) if row else None
