"""An order whose limit is too far from the market to be filled."""

from decimal import Decimal

from typing_extensions import override

from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import OrderStatus
from execution.domain.limit_prices import round_away
from execution.entry import amend
from execution.models import Order
from monitoring.rehearsal.scene import BY, Scene, Seen, described
from monitoring.rehearsal.who import who

MINUTES = 15
BELOW = Decimal("0.95")  # of the bid


class BehindSchedule(Scene):
    name = "behind-schedule"
    title = "an order falls behind its schedule"
    section = "BEHIND_SCHEDULE"
    order: Order

    @override
    def set_up(self) -> str:
        self._limit = round_away(self.practice.quote().bid * BELOW, 1)
        self.order = self.practice.accepted(
            quantity=2_000,
            algorithm="TWAP",
            window_minutes=MINUTES,
            slices=30,
            limit_price=self._limit,
        )
        return (
            f"By its schedule, {described(self.order)} is worked evenly over {MINUTES} minutes,"
            " and not one share of it is executed. The desk says: all of it is to be bought"
            " today, at the market's price if need be, or not at all."
        )

    @override
    def look(self) -> Seen:
        self.order.refresh_from_db()
        if self.order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED):
            by = who(self.order, EventKind.CANCEL_REQUESTED)
            return Seen(f"cancelled by {by}: nothing of it is left to wait for.", done=True)
        if self.order.limit_price != self._limit:
            return self._amended()
        if self.order.is_terminal:
            return Seen("nobody changed the order before its time was over.", wrong=True)
        return Seen()

    def _amended(self) -> Seen:
        by, limit, ask = who(self.order, EventKind.ORDER_AMENDED), self.order.limit_price, self._ask
        if limit is None or limit >= ask or self.order.filled_quantity:
            return Seen(f"amended by {by}: its limit reaches the market now.", done=True)
        return Seen(f"Amended by {by}: the new limit of {limit:f} is still below the ask of {ask}.")

    @property
    def _ask(self) -> Decimal:
        return self.practice.quote().ask

    @override
    def solution(self) -> str:
        return (
            f"deepstack explain {self.order.pk} shows a limit of {self._limit}, 5 % below the"
            " market. A limit that reaches it:\n"
            f'  deepstack amend {self.order.pk} --limit {self._above} --reason "..." --by NAME\n'
            "Or, if it is not wanted at that price:\n"
            f'  deepstack cancel {self.order.pk} --reason "..." --by NAME'
        )

    @override
    def solve(self) -> str:
        amend.amend(
            self.order.pk,
            {"limit_price": str(self._above)},
            version=self.order.version,
            by=BY,
            context=self.practice.context,
            reason="the limit was too far from the market",
        )
        return ""

    @property
    def _above(self) -> Decimal:
        return round_away(self._ask * Decimal("1.005"), -1)
