"""An event of an order as it leaves for programs."""

from typing import TypedDict

from execution.models import OrderEvent


class EventMessage(TypedDict):
    """`at` is trading time, `recorded_at` real time; both ISO with their offset. `slice` is the
    number of a slice in its order, 0 the first."""

    id: int
    kind: str
    order_id: int
    account: str
    strategy: str
    symbol: str
    side: str
    slice: int | None
    at: str
    recorded_at: str
    data: dict[str, object]


def message_of(event: OrderEvent) -> EventMessage:
    order = event.order
    return {
        "id": event.pk,
        "kind": event.kind,
        "order_id": event.order_id,
        "account": order.account,
        "strategy": order.strategy,
        "symbol": order.symbol,
        "side": order.side,
        "slice": event.slice.sequence if event.slice else None,
        "at": event.at.isoformat(),
        "recorded_at": event.recorded_at_real.isoformat(),
        "data": event.data,
    }
