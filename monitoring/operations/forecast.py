"""When an order will be done, and how far it is behind its plan. Pure: no clock, no database."""

from datetime import datetime


def completion(
    *, start: datetime, now: datetime, end: datetime, quantity: int, filled: int
) -> datetime | None:
    """At the order's average pace so far; None while that is unknown or will not do by its end.

    start + (now - start) * quantity / filled
    """
    if filled <= 0 or now <= start:
        return None
    done = start + (now - start) * (quantity / filled)
    return done if done <= end else None


def behind(*, planned: int, filled: int, quantity: int) -> float:
    """The share of the order that should have been executed by now and has not been, 0 to 1."""
    return max(planned - filled, 0) / quantity if quantity > 0 else 0.0
