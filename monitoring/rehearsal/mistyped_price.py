"""An order that was denied because its decision price is off the market."""

from decimal import Decimal

from typing_extensions import override

from execution.domain.lifecycle import OrderStatus
from execution.models import Order
from monitoring.rehearsal.scene import ACCOUNT, CannotPlay, Scene, Seen, described

CODE = "DECISION_PRICE_OFF_MARKET"


class MistypedPrice(Scene):
    name = "mistyped-price"
    title = "an order is denied, and its owner waits for the shares"
    section = "FAILED_ORDERS"
    order: Order

    @override
    def set_up(self) -> str:
        self._price = self.practice.quote().mid.quantize(Decimal("0.01"))
        wrong = self._price * 10
        self.order = self.practice.submit(quantity=100, decision_price=wrong)
        if not self.order.status_reason.startswith(CODE):
            raise CannotPlay(f"order {self.order.pk} was not denied with {CODE}")
        return (
            f"The desk asks where its 100 {self.practice.symbol} in account {ACCOUNT} are. Nothing"
            f" was bought: {described(self.order)} was denied, and is still wanted as it was"
            " asked for."
        )

    @override
    def look(self) -> Seen:
        later = Order.objects.filter(pk__gt=self.order.pk, symbol=self.order.symbol).order_by("pk")
        same = later.filter(account=ACCOUNT, side=self.order.side, quantity=self.order.quantity)
        if good := same.exclude(status=OrderStatus.DENIED).first():
            return Seen(f"{described(good)} by {good.submitted_by} was accepted.", done=True)
        if other := later.last():
            return Seen(_difference(other))
        return Seen()

    @override
    def solution(self) -> str:
        return (
            f"deepstack explain {self.order.pk} shows a decision price ten times that of the"
            " market: its point was mistyped. The same once more:\n"
            f"  deepstack order BUY 100 {self.practice.symbol} --price {self._price}"
            f" --account {ACCOUNT}"
        )

    @override
    def solve(self) -> str:
        self.practice.accepted(quantity=100, decision_price=self.practice.quote().mid)
        return ""


def _difference(order: Order) -> str:
    if order.status == OrderStatus.DENIED:
        return f"{described(order).capitalize()} was denied as well: {order.status_reason}"
    return (
        f"{described(order).capitalize()} in account {order.account} is not the one that was asked"
        " for: account, side and quantity must be the same."
    )
