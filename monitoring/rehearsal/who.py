"""Who did what to an order, by its audit trail."""

from execution.domain.event_kinds import EventKind
from execution.models import Order, OrderEvent


def who(order: Order, kind: EventKind) -> str:
    """Of the latest event of a kind that names a person."""
    events = OrderEvent.objects.filter(order=order, kind=kind, data__has_key="by")
    latest = events.order_by("-pk").first()
    return str(latest.data["by"]) if latest else "somebody"
