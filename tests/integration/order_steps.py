"""The steps of an order's life, taken one by one, as a worker and a broker would take them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from execution import context as contexts
from execution.booking import execution_reports
from execution.broker.base import BrokerOrder, Execution
from execution.context import Context
from execution.domain.lifecycle import SLICE_AT_BROKER, SliceStatus
from execution.entry import acceptance
from execution.market.base import Quote
from execution.models import Order, Slice
from execution.sending import delivery, slices
from execution.sending.slices import Intent

PRICE = Decimal("150.00")


def new_order(quantity: int = 1_000, parts: int = 5, **more: object) -> Order:
    signal: dict[str, object] = {
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": quantity,
        "algorithm": "TWAP",
        "slices": parts,
        "window_minutes": 600,
    }
    return acceptance.accept(signal | more, contexts.default())


def quote_at(at: datetime) -> Quote:
    return Quote("AAPL", at, Decimal("149.99"), Decimal("150.01"), 500, 500)


def claim(part: Slice) -> Intent | None:
    """What a worker does at the slice's moment, up to the committed intent."""
    return slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at)


def send(slice_id: int, context: Context) -> None:
    """What a worker does for one slice, stage by stage."""
    for part in slices.read([slice_id], context):
        due = slices.ready(part, context)
        intent = slices.claim(part, due.quote, due.context, now=due.now, tape=due.tape)
        if intent is not None:
            delivery.transmit(intent, due.context, moment=part.due_at)


def execution(intent: Intent, name: str, quantity: int, *, revision: int = 0) -> Execution:
    return Execution(
        client_order_id=intent.ticket.client_order_id,
        account=intent.ticket.account,
        execution_id=f"{intent.ticket.client_order_id}/{name}",
        quantity=quantity,
        price=PRICE,
        executed_at=contexts.default().now(),
        commission=Decimal("0.01"),
        revision=revision,
    )


def report(
    intent: Intent, status: SliceStatus, executions: Sequence[Execution] = ()
) -> BrokerOrder:
    return BrokerOrder(
        client_order_id=intent.ticket.client_order_id,
        broker_order_id=f"B-{intent.ticket.client_order_id}",
        status=status,
        filled_quantity=sum(e.quantity for e in executions),
        executions=executions,
    )


def receive(intent: Intent, seen: BrokerOrder) -> None:
    """The broker's report reaches us by news or by a look-up."""
    part = Slice.objects.select_related("order").get(pk=intent.part.pk)
    execution_reports.book_report(part, seen, contexts.default())


def working(order: Order) -> int:
    return sum(part.leaves for part in order.slices.filter(status__in=SLICE_AT_BROKER))
