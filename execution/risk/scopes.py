"""Which trading states and limits apply to an order, and which orders they apply to: those of the
system, and of its own account, strategy and symbol. One rule, in Python and in SQL."""

from typing import Protocol

from django.db.models import Q

from deepstack.database.prepared_query import Param
from execution.models import Order, TradingState

Scope = TradingState.Scope


class Scoped(Protocol):
    """A row with a scope and a key: a trading state, or limits."""

    scope: str
    key: str


def own(order: Order) -> dict[str, str]:
    """The values of an order by which rows apply to it, as `applying` takes them."""
    return {"account": order.account, "strategy": order.strategy, "symbol": order.symbol}


def keys(order: Order) -> tuple[tuple[str, str], ...]:
    """Scope and key of the rows that apply to an order."""
    return (
        (Scope.SYSTEM.value, ""),
        (Scope.ACCOUNT.value, order.account),
        (Scope.STRATEGY.value, order.strategy),
        (Scope.SYMBOL.value, order.symbol),
    )


def applying(*, account: object, strategy: object, symbol: object) -> Q:
    """`keys` as a condition on rows with a scope and a key; values, or what stands for them in a
    query."""
    return (
        Q(scope=Scope.SYSTEM)
        | Q(scope=Scope.ACCOUNT, key=account)
        | Q(scope=Scope.STRATEGY, key=strategy)
        | Q(scope=Scope.SYMBOL, key=symbol)
    )


def applying_by_name() -> Q:
    """`applying` for a prepared query whose parameters `own` gives."""
    return applying(
        account=Param("account", ""), strategy=Param("strategy", ""), symbol=Param("symbol", "")
    )


def applying_to(order: Order) -> Q:
    """The condition on rows that apply to an order."""
    return applying(**own(order))


def covered_by(row: Scoped, prefix: str = "") -> Q:
    """The condition on orders to which a row applies; `prefix` leads to the order, as `order__`."""
    if row.scope == Scope.SYSTEM:
        return Q()
    return Q(**{f"{prefix}{row.scope.lower()}": row.key})
