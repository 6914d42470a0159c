"""One line of the log for each event of an order, under keys that can be searched for."""

from collections.abc import Iterable
from logging import INFO

import structlog

from execution.models import OrderEvent
from execution.orders import order_trace

log = structlog.get_logger("execution.events")

# Of the event's own data; the rest is in its row.
KEYS = (
    "quantity",
    "price",
    "limit_price",
    "from",
    "to",
    "code",
    "reason",
    "by",
    "user",
    "door",
    "scope",
    "state",
    "client_order_id",
    "broker_order_id",
    "execution_id",
    "commission",
    "algorithm",
)


def log_events(events: Iterable[OrderEvent]) -> None:
    """After the commit. `event` is the kind; `quantity` the event's, or else the order's."""
    if not log.isEnabledFor(INFO):
        return
    for each in events:
        order, part, data = each.order, each.slice, each.data
        own = {key: data[key] for key in KEYS if data.get(key) not in (None, "")}
        if trace := order_trace.id_of(order):
            own["trace_id"] = trace
        log.info(
            each.kind,
            **{
                "event_id": each.pk,
                "order_id": each.order_id,
                "slice_id": each.slice_id,
                "slice": part.sequence if part else data.get("slice"),
                "account": order.account,
                "symbol": order.symbol,
                "side": order.side,
                "quantity": order.quantity,
                "at": each.at.isoformat(),
                **own,
            },
        )
