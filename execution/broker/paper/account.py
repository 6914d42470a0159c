"""What a paper account has: the sum of its executions, from a first sum of cash on."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Sum

from deepstack.config_paper import Paper
from execution.broker.base import AccountState, OpenOrder
from execution.models import PaperExecution, PaperOrder

ZERO = Decimal(0)


def state(account: str, settings: Paper, *, now: datetime) -> AccountState:
    """Buying power is `leverage` times the cash, less what the open buys would cost at their
    limits; never below zero. Shares that are held lend nothing."""
    rows = (
        PaperExecution.objects.filter(order__account=account)
        .values_list("order__symbol", "order__side")
        .annotate(
            shares=Sum("quantity"), money=Sum(F("quantity") * F("price")), fees=Sum("commission")
        )
    )
    cash, positions = settings.cash, dict[str, int]()
    for symbol, side, shares, money, fees in rows.order_by():
        sign = 1 if side == "BUY" else -1
        positions[symbol] = positions.get(symbol, 0) + sign * shares
        cash -= sign * money + fees
    return AccountState(
        account=account,
        at=now,
        cash=cash,
        buying_power=max(settings.leverage * cash - _reserved(account), ZERO),
        positions={symbol: shares for symbol, shares in positions.items() if shares},
    )


def open_orders(account: str) -> Sequence[OpenOrder]:
    return [
        OpenOrder(
            client_order_id=order.client_order_id,
            broker_order_id=f"paper-{order.pk}",
            symbol=order.symbol,
            side=order.side,
            leaves=order.quantity - order.filled_quantity,
        )
        for order in PaperOrder.objects.filter(
            account=account, status__in=PaperOrder.OPEN
        ).order_by("pk")
    ]


def _reserved(account: str) -> Decimal:
    buys = PaperOrder.objects.filter(account=account, side="BUY", status__in=PaperOrder.OPEN)
    cost = Sum((F("quantity") - F("filled_quantity")) * F("limit_price"))
    reserved: Decimal | None = buys.aggregate(cost=cost)["cost"]
    return reserved or ZERO
