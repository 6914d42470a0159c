"""Which trading states and limits apply to an order: those of the system, and of its own account,
strategy and symbol."""

from django.db.models import Q

from execution.models import TradingState

Scope = TradingState.Scope


def applying(*, account: object, strategy: object, symbol: object) -> Q:
    """The condition on rows with a scope and a key; values, or what stands for them in a query."""
    return (
        Q(scope=Scope.SYSTEM)
        | Q(scope=Scope.ACCOUNT, key=account)
        | Q(scope=Scope.STRATEGY, key=strategy)
        | Q(scope=Scope.SYMBOL, key=symbol)
    )
