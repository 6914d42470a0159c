"""Sessions that the tests of the domain share."""

from datetime import UTC, datetime, timedelta
from typing import Any

from execution.domain.algorithms.base import Spec
from execution.domain.session import Session
from execution.domain.volume_profile import U_SHAPE


def session(*, hours: float = 6.5, always: bool = False) -> Session:
    opens = datetime(2024, 6, 12, 13, 30, tzinfo=UTC)
    close = opens + timedelta(hours=hours)
    extended = opens - timedelta(hours=5.5), close + timedelta(hours=4)
    return Session(opens.date(), opens, close, *extended, always=always)


FULL_DAY = session()
HALF_DAY = session(hours=3.5)
OPEN, CLOSE = FULL_DAY.open, FULL_DAY.close


def at(minutes: float) -> datetime:
    """So many minutes after the open."""
    return OPEN + timedelta(minutes=minutes)


def spec(quantity: int, slices: int = 1, **more: Any) -> Spec:
    """Of the whole day along the U-shape, without jitter, unless it says otherwise."""
    usual: dict[str, Any] = {
        "start": OPEN,
        "end": CLOSE,
        "session": FULL_DAY,
        "profile": U_SHAPE,
        "seed": 0,
        "jitter": timedelta(0),
    }
    return Spec(quantity=quantity, slices=slices, **usual | more)
