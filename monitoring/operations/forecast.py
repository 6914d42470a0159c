"""When an order will be done, and how far it is behind its plan. Pure: no clock, no database."""

from datetime import datetime

ON_PLAN = 0.98  # of the shares planned by now, from which an order counts as on its plan


def completion(
    *, start: datetime, now: datetime, end: datetime, quantity: int, filled: int, planned: int
) -> datetime | None:
    """At the order's average pace so far, at its end at the latest where it is on its plan; None
    while nothing is known, or where it is behind and its pace will not do by its end.

    start + (now - start) * quantity / filled
    """
    if filled <= 0 or now <= start:
        return None
    done = start + (now - start) * (quantity / filled)
    if done <= end:
        return done
    return end if filled >= ON_PLAN * planned else None


def behind(*, planned: int, filled: int, quantity: int) -> float:
    """The share of the order that should have been executed by now and has not been, 0 to 1."""
    return max(planned - filled, 0) / quantity if quantity > 0 else 0.0
