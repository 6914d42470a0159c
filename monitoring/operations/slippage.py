"""How the day's slippage is spread over its orders."""

from collections.abc import Sequence
from datetime import date
from typing import TypedDict

from django.db.models import Case, Count, ExpressionWrapper, F, IntegerField, Value, When
from django.db.models.functions import Cast, Floor, Greatest, Least

from execution.access import desks
from execution.access.desks import Accounts
from execution.domain.lifecycle import ORDER_TERMINAL
from execution.models.orders import Side
from execution.orders.results import ARRIVAL_PRICE
from monitoring.alerting.order_facts import ended_on
from monitoring.reporting.daily_summaries import KNOWN_MID, MONEY

WIDTH = 2  # bps
LOWEST, HIGHEST = -10, 10  # buckets; the outermost hold all that is beyond them


class Bucket(TypedDict):
    """Orders whose slippage against the arrival mid is in a range of bps; + is a cost."""

    label: str
    orders: int
    cost: bool


def distribution(day: date, accounts: Accounts = None) -> Sequence[Bucket]:
    """Of the orders that ended on the exchange date with executions; one query."""
    sign = Case(When(side=Side.SELL, then=Value(-1)), default=Value(1))
    at_mid = F("filled_quantity") * ARRIVAL_PRICE
    cost = ExpressionWrapper(sign * (F("filled_notional") - at_mid) * 10_000, output_field=MONEY)
    bucket = Floor(cost / ExpressionWrapper(at_mid * WIDTH, output_field=MONEY))
    bounded = Greatest(Least(bucket, Value(HIGHEST)), Value(LOWEST))
    ended = desks.of_accounts(ended_on(day), accounts).filter(KNOWN_MID, status__in=ORDER_TERMINAL)
    rows = ended.annotate(bucket=Cast(bounded, IntegerField())).values_list("bucket")
    counts = dict(rows.annotate(n=Count("pk")).order_by())
    return [_bucket(number, counts.get(number, 0)) for number in range(LOWEST, HIGHEST + 1)]


def _bucket(number: int, orders: int) -> Bucket:
    low, high = number * WIDTH, (number + 1) * WIDTH
    label = f"{low:+d} to {high:+d}"
    if number == LOWEST:
        label = f"below {high:+d}"
    elif number == HIGHEST:
        label = f"from {low:+d}"
    return {"label": label, "orders": orders, "cost": number >= 0}
