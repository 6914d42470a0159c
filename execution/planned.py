"""Planned slices as rows that are not stored yet."""

import secrets
from collections.abc import Iterable

from execution.domain.plan import PlannedSlice
from execution.models import Order, Slice


def rows(
    order: Order, plan: Iterable[PlannedSlice], *, first: int = 0, done: int = 0
) -> list[Slice]:
    """The slices of a plan that begins with the sequence `first`, after `done` shares."""
    # Unique for ever at the broker, across databases too; the seed only has to be reproducible.
    stem = secrets.token_hex(8)
    return [
        Slice(
            order=order,
            sequence=first + planned.sequence,
            due_at=planned.due_at,
            end_at=planned.end_at,
            planned_quantity=planned.quantity,
            cumulative_quantity=done + planned.cumulative_quantity,
            client_order_id=f"{stem}-{first + planned.sequence}",
        )
        for planned in plan
    ]
