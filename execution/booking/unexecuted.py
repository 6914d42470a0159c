"""Why an order ended with a rest, from the ends of its slices."""

from datetime import datetime
from typing import Any

from django.db.models import Q

from execution.domain import unexecuted
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import OrderStatus, SliceStatus
from execution.domain.unexecuted import Cause, EndedSlice
from execution.models import Order, OrderEvent
from execution.planning import residual, returned_shares
from execution.risk import holds


def dominating(order: Order, *, at: datetime, cancelled: str = "") -> Cause | None:
    """The cause by which most shares of an order that ended at `at` were not executed; None where
    nothing is left or no cause is known. `cancelled`: how it was cancelled, for an order that ends
    so now."""
    rest = order.quantity - order.filled_quantity
    if rest <= 0:
        return None
    if not cancelled and order.status == OrderStatus.CANCELLED:
        cancelled = _cancelled(order)
    if not cancelled and (span := holds.lasting(order, at=at)) is not None:
        return Cause(span.hold, span.sentence(order.end_at), rest, alone=True)
    limit = "" if order.limit_price is None else f"{order.limit_price.normalize():f}"
    slices = [] if cancelled else _slices(order)
    return unexecuted.dominating(slices, rest=rest, limit=limit, cancelled=cancelled)


def _slices(order: Order) -> list[EndedSlice]:
    """Of the last plan: what earlier ones missed was planned anew."""
    held_back = _held_back(order)
    rows = order.slices.filter(sequence__gte=_last_plan(order)).order_by("sequence").values(
        "sequence", "status", "reason", "planned_quantity", "filled_quantity", "attempt",
        "explanation__participation",
    )  # fmt: skip
    return [
        EndedSlice(
            status=row["status"],
            reason=row["reason"],
            planned=row["planned_quantity"],
            filled=row["filled_quantity"],
            sent=row["attempt"] > 0,
            held_back=held_back.get(row["sequence"], ""),
            capped=_capped(row["explanation__participation"]),
        )
        for row in rows
    ]


def _last_plan(order: Order) -> int:
    kept = order.routing.get(residual.KEY) or {}
    again: int = order.routing.get(returned_shares.KEY, {}).get("first", 0)
    return max(again, kept.get("final_from") or 0, residual.schedule(order).first)


def _held_back(order: Order) -> dict[int, str]:
    """Why each slice was last put off, by its sequence."""
    put_off = Q(kind=EventKind.SLICE_DEFERRED) | Q(
        kind=EventKind.SLICE_STATUS, data__to=SliceStatus.PLANNED
    )
    events = OrderEvent.objects.filter(put_off, order=order).order_by("id")
    return {data["slice"]: data["reason"] for data in events.values_list("data", flat=True)}


def _capped(participation: Any) -> bool:
    if not isinstance(participation, dict):
        return False
    allowed, wanted = participation.get("allowed"), participation.get("wanted")
    return allowed is not None and wanted is not None and allowed < wanted


def _cancelled(order: Order) -> str:
    """How an order that is CANCELLED came to it."""
    events = OrderEvent.objects.filter(
        order=order, kind=EventKind.ORDER_STATUS, data__to=OrderStatus.CANCELLING
    )
    data = events.order_by("-id").values_list("data", flat=True).first()
    return (data or {}).get("reason") or "the order was cancelled"
