"""Children that work at the broker's peer, with our own rows of them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from execution.domain.lifecycle import OrderStatus, SliceStatus
from execution.models import Order, Slice
from tests.brokers.rig import Rig
from tests.stack import wait_for

SOON = 20.0  # seconds


def parent(account: str, symbol: str, quantity: int) -> Order:
    """A TWAP of an hour from now on, that is worked."""
    now = datetime.now(UTC)
    return Order.objects.create(
        account=account,
        symbol=symbol,
        side="BUY",
        quantity=quantity,
        urgency="NORMAL",
        algorithm="TWAP",
        start_at=now,
        end_at=now + timedelta(hours=1),
        seed=1,
        slice_count=1,
        status=OrderStatus.WORKING,
        created_at=now,
    )


def working(rig: Rig, quantity: int = 100) -> Slice:
    """A child order that works at the peer, and our own record of it."""
    order = parent(rig.account, "AAPL", 2 * quantity)
    now = order.start_at
    ticket = rig.placed(quantity=quantity, client_order_id=f"child-{uuid4().hex[:20]}")
    return Slice.objects.create(
        order=order,
        sequence=0,
        due_at=now,
        end_at=now + timedelta(hours=1),
        planned_quantity=quantity,
        cumulative_quantity=quantity,
        status=SliceStatus.WORKING,
        claim_token=uuid4(),
        attempt=1,
        client_order_id=ticket.client_order_id,
        quantity=quantity,
        limit_price=ticket.limit_price,
        broker=rig.broker.name,
        sent_at=now,
    )


def becomes(part: Slice, status: SliceStatus, filled: int) -> None:
    def so() -> bool:
        part.refresh_from_db()
        return (part.status, part.filled_quantity) == (status, filled)

    wait_for(so, SOON, f"{status} with {filled} filled, is {part.status} {part.filled_quantity}")
