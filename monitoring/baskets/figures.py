"""What the orders of a basket have come to, summed by PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Case, Max, Q, QuerySet, When

from execution.access import desks
from execution.access.desks import Accounts
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import ORDER_LIVE, OrderStatus
from execution.models import Order
from monitoring.models import CostAnalysis

SHOWN = 100  # baskets of a list, and orders of a basket
BPS = 10_000
LIVE = sorted(ORDER_LIVE)
OPEN_FIRST = Case(When(status__in=LIVE, then=0), default=1)

# `price`: what a share is taken to be worth where it has not been executed. A decision price that
# is off the market has no shortfall: its parts are null.
_SUMS = f"""
SELECT basket, count(*), count(*) FILTER (WHERE live), count(*) FILTER (WHERE denied),
       count(*) FILTER (WHERE status = 'FILLED'), count(*) FILTER (WHERE status = 'PAUSED'),
       min(created_at), max(submitted_by),
       sum(value + CASE WHEN live THEN (ordered - shares) * price ELSE 0 END),
       sum(value), sum(CASE WHEN s > 0 THEN value ELSE 0 END), sum(commission),
       sum(s * (value - shares * mid)), sum(shares * mid) FILTER (WHERE mid IS NOT NULL),
       sum(estimated * ordered * mid) / nullif(sum(ordered * mid)
           FILTER (WHERE estimated IS NOT NULL AND NOT denied), 0),
       sum(shortfall), sum(ordered * decision_price) FILTER (WHERE shortfall IS NOT NULL),
       count(*) FILTER (WHERE shortfall IS NOT NULL)
  FROM (SELECT o.basket, o.status, o.created_at, o.submitted_by, o.commission, o.decision_price,
               o.status = ANY(%(live)s) AS live, o.status = %(denied)s AS denied,
               o.quantity AS ordered, o.filled_quantity AS shares, o.filled_notional AS value,
               CASE o.side WHEN 'SELL' THEN -1 ELSE 1 END AS s,
               (o.arrival_bid + o.arrival_ask) / 2 AS mid,
               coalesce((o.arrival_bid + o.arrival_ask) / 2, o.limit_price, o.decision_price)
                   AS price,
               CASE WHEN o.status <> %(denied)s THEN o.estimated_slippage_bps::numeric END
                   AS estimated,
               c.delay + c.trading + c.opportunity + c.fees AS shortfall
          FROM {Order._meta.db_table} o
          LEFT JOIN {CostAnalysis._meta.db_table} c ON c.order_id = o.id
         WHERE o.basket = ANY(%(names)s) AND o.basket <> ''
           AND (%(accounts)s::text[] IS NULL OR o.account = ANY(%(accounts)s))) orders
 GROUP BY basket
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Basket:
    """Money in dollars, + is a cost; None is not known. `target` is what was executed and what is
    still open at its price at arrival, `shortfall` that of the orders whose cost was analysed."""

    name: str
    orders: int
    live: int
    denied: int
    filled: int
    paused: int
    created_at: datetime
    submitted_by: str
    target: Decimal | None
    value: Decimal
    bought: Decimal
    commission: Decimal
    arrival_cost: Decimal | None
    arrival_value: Decimal | None
    estimated_bps: Decimal | None
    shortfall: Decimal | None
    paper_value: Decimal | None
    analysed: int

    @property
    def sold(self) -> Decimal:
        return self.value - self.bought

    @property
    def percent(self) -> int:
        """Executed, of what is executed or still open."""
        return min(int(100 * self.value / self.target), 100) if self.target else 0

    @property
    def slippage_bps(self) -> Decimal | None:
        return _bps(self.arrival_cost, self.arrival_value)

    @property
    def shortfall_bps(self) -> Decimal | None:
        return _bps(self.shortfall, self.paper_value)

    @property
    def created(self) -> str:
        return exchange_time(self.created_at)


def of(names: Sequence[str], accounts: Accounts = None) -> list[Basket]:
    """In the order of the names, of the accounts that the reader sees; those that no such order has
    are left out. One query."""
    values: dict[str, Any] = {
        "names": list(names),
        "live": LIVE,
        "denied": OrderStatus.DENIED,
        "accounts": None if accounts is None else sorted(accounts),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, values)
        found = {row[0]: Basket(*row) for row in cursor.fetchall()}
    return [found[name] for name in names if name in found]


def newest(
    begin: datetime, end: datetime | None, accounts: Accounts = None, *, most: int | None = None
) -> list[str]:
    """The names of baskets with an order made from `begin` until before `end`, the newest first;
    without an end those that are live, too."""
    made = Q(created_at__gte=begin)
    made = made & Q(created_at__lt=end) if end else made | Q(status__in=LIVE)
    seen = desks.of_accounts(Order.objects.filter(made), accounts)
    rows = seen.exclude(basket="").order_by().values_list("basket")
    newest_first = rows.annotate(last=Max("pk")).order_by("-last")
    return [name for name, _ in newest_first[:most]]


def orders_of(name: str, accounts: Accounts = None) -> QuerySet[Order]:
    """Those that are open first."""
    seen = desks.of_accounts(Order.objects.filter(basket=name), accounts)
    return seen.exclude(basket="").order_by(OPEN_FIRST, "-pk")


def _bps(cost: Any, basis: Any) -> Decimal | None:
    return Decimal(cost) * BPS / basis if cost is not None and basis else None
