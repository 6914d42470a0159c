"""Planned slices as rows that are not stored yet."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from deepstack.database.rows_alike import rows_alike
from execution.domain.algorithms.base import PlannedSlice, equal_slices
from execution.domain.residual import SHORTEST
from execution.models import Order, Slice
from execution.planning import order_parameters


def rows(
    order: Order, plan: Iterable[PlannedSlice], *, first: int = 0, done: int = 0
) -> list[Slice]:
    """The slices of a plan that begins with the sequence `first`, after `done` shares."""
    # Unique for ever at the broker, across databases too; the seed only has to be reproducible.
    stem = secrets.token_hex(8)
    return rows_alike(
        Slice(order=order),
        (
            {
                "sequence": first + planned.sequence,
                "due_at": planned.due_at,
                "end_at": planned.end_at,
                "planned_quantity": planned.quantity,
                "cumulative_quantity": done + planned.cumulative_quantity,
                "client_order_id": f"{stem}-{first + planned.sequence}",
            }
            for planned in plan
        ),
    )


def evenly(
    order: Order, rest: int, start: datetime, end: datetime, *, slices: int = 1
) -> Sequence[PlannedSlice]:
    """What is left of an order in `slices` of equal size and length, or as many as the largest
    slice makes necessary; in no more than the time has room for. Raises ValueError as
    `equal_slices`."""
    lot, most = order_parameters.lot(order), order_parameters.most(order)
    room = max((end - start) // SHORTEST, 1)
    count = min(max(slices, order_parameters.slices_for(rest, most, lot)), room)
    return equal_slices(
        quantity=rest if most is None else min(rest, count * (most // lot * lot)),
        start=start,
        end=end,
        slices=count,
        jitter=timedelta(0),
        seed=order.seed,
        lot=lot,
        min_slice=min(order_parameters.least(order), rest) if slices > 1 else 1,
        max_slice=most,
    )
