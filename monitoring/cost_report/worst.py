"""The dearest orders, each with what most of its cost came from."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from execution.access.desks import Accounts
from execution.models import Order
from execution.orders.results import arrival_price, average_price
from monitoring.cost_report import day_groups
from monitoring.cost_report.reasons import Costs, reason

MOST = 10

Ranked = Sequence[tuple[int, Decimal]]  # order and its cost in money, the dearest first


@dataclass(frozen=True, slots=True)
class DearOrder:
    """`cost` is money, `bps` of the value at the decision price or else at arrival."""

    order: Order
    cost: Decimal
    bps: Decimal | None
    reason: str


_WORST = f"""
WITH facts AS ({day_groups.FACTS}),
     costs AS (SELECT id, coalesce(delay + trading + opportunity + fees,
                                   s * (value - shares * mid) + commission) AS cost FROM facts)
SELECT id, cost FROM costs WHERE cost > 0 ORDER BY cost DESC, id LIMIT {MOST}
"""  # noqa: S608


def of_days(days: Collection[date], *, account: str = "", accounts: Accounts = None) -> Ranked:
    """By implementation shortfall; without a decision price by the cost against arrival and the
    commission."""
    asked = day_groups.asked(days, account, accounts=accounts)
    return [(pk, cost) for pk, cost in day_groups.rows(_WORST, asked)]


def dearest(many: Iterable[Ranked]) -> Ranked:
    together = [pair for ranked in many for pair in ranked]
    return sorted(together, key=lambda pair: (-pair[1], pair[0]))[:MOST]


def explained(ranked: Ranked) -> Sequence[DearOrder]:
    """One query, however many orders."""
    orders = Order.objects.select_related("cost").in_bulk([pk for pk, _ in ranked])
    return [_dear(orders[pk], cost) for pk, cost in ranked if pk in orders]


def _dear(order: Order, cost: Decimal) -> DearOrder:
    paper, arrival = _paper_value(order), arrival_price(order)
    basis = paper or (order.filled_quantity * arrival if arrival else None)
    bps = cost / basis * 10_000 if basis else None
    return DearOrder(order, cost, bps, reason(_costs(order)))


def _paper_value(order: Order) -> Decimal | None:
    cost = getattr(order, "cost", None)
    if cost is None or cost.delay is None or order.decision_price is None:
        return None
    return order.quantity * order.decision_price


def _costs(order: Order) -> Costs:
    cost, arrival = getattr(order, "cost", None), arrival_price(order)
    traded = (
        None
        if arrival is None
        else order.side_sign * (order.filled_notional - order.filled_quantity * arrival)
    )
    return Costs(
        side=order.side_sign,
        ordered=order.quantity,
        shares=order.filled_quantity,
        decision=order.decision_price,
        arrival=arrival,
        average=average_price(order),
        vwap=cost.market_vwap if cost else None,
        participation=cost.participation if cost else None,
        delay=cost.delay if cost else None,
        trading=traded,
        opportunity=cost.opportunity if cost else None,
        fees=order.commission,
    )
