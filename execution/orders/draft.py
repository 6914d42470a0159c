"""An order as it would be stored, with its slices and events."""

from dataclasses import dataclass, field

from execution.models import Order, OrderEvent, Slice


@dataclass(slots=True)
class Draft:
    """An order that is ready to be stored, with its slices and the events of its start."""

    order: Order
    slices: list[Slice] = field(default_factory=list)
    events: list[OrderEvent] = field(default_factory=list)
