"""An order that somebody has paused and nobody has resumed."""

from typing_extensions import override

from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import OrderStatus
from execution.entry import order_controls
from execution.models import Order
from monitoring.rehearsal.scene import BY, NEVER_FILLS, Scene, Seen, described
from monitoring.rehearsal.who import who


class PausedOrder(Scene):
    name = "paused-order"
    title = "an order does nothing although its window runs"
    section = "PAUSED"
    needs_market = False
    order: Order

    @override
    def set_up(self) -> str:
        self.order = self.practice.accepted(
            quantity=500,
            algorithm="TWAP",
            window_minutes=60,
            slices=30,
            limit_price=NEVER_FILLS,
        )
        order_controls.pause(
            self.order.pk,
            by=BY,
            now=self.practice.context.now(),
            reason="is the quantity right? asked the desk",
        )
        return (
            f"The colleague before you went home, and {described(self.order)} does nothing since,"
            " although its window runs. The desk has answered meanwhile: what the colleague"
            " asked about is right."
        )

    @override
    def look(self) -> Seen:
        self.order.refresh_from_db()
        if self.order.status == OrderStatus.PAUSED:
            return Seen()
        if self.order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED):
            return Seen(f"cancelled by {who(self.order, EventKind.CANCEL_REQUESTED)}.", done=True)
        if self.order.is_terminal and not self.order.filled_quantity:
            return Seen("nobody resumed the order before its time was over.", wrong=True)
        return Seen(f"resumed by {who(self.order, EventKind.ORDER_STATUS)}.", done=True)

    @override
    def solution(self) -> str:
        number = self.order.pk
        return (
            f"deepstack explain {number} says who paused it, and why. That is answered:\n"
            f'  deepstack resume {number} --reason "..." --by NAME\n'
            "Or, where it is not wanted any more:\n"
            f'  deepstack cancel {number} --reason "..." --by NAME'
        )

    @override
    def solve(self) -> str:
        order_controls.resume(
            self.order.pk, by=BY, now=self.practice.context.now(), reason="the desk has answered"
        )
        return ""
