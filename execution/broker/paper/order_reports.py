"""What the paper broker reports of an order, which may be less than it knows, or more often."""

from collections.abc import Sequence
from datetime import datetime

from deepstack import django_setup
from execution.broker.base import BrokerOrder, Execution
from execution.broker.paper.venue_faults import FaultProfile
from execution.domain.lifecycle import SliceStatus

django_setup.ensure()

from execution.models import PaperExecution, PaperOrder  # noqa: E402


def answer(
    order: PaperOrder, rows: Sequence[PaperExecution], faults: FaultProfile, now: datetime
) -> BrokerOrder:
    """`rows` are all of the order's executions, oldest first, and read after the order: whatever
    else was matched in between is among them. The filled quantity contains those still untold."""
    reported = []
    for number, row in enumerate(rows):
        if row.reported_at is None or row.reported_at <= now:
            times = 2 if faults.reported_twice(order.client_order_id, number) else 1
            reported += [_execution(order, row)] * times
    return BrokerOrder(
        client_order_id=order.client_order_id,
        broker_order_id=f"paper-{order.pk}",
        status=SliceStatus(order.status),
        filled_quantity=sum(row.quantity for row in rows),
        executions=tuple(reported),
        symbol=order.symbol,
    )


def _execution(order: PaperOrder, row: PaperExecution) -> Execution:
    return Execution(
        client_order_id=order.client_order_id,
        account=order.account,
        # Row numbers start anew with a new database; the order's own id does not.
        execution_id=f"paper-{row.pk}-{order.client_order_id}",
        quantity=row.quantity,
        price=row.price,
        executed_at=row.executed_at,
        commission=row.commission,
    )
