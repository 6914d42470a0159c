"""Which symbols the broker has other shares of than our fills explain; nothing of them leaves."""

from collections.abc import Mapping

from django.db.models import QuerySet

from deepstack.database.prepared_query import Param, Prepared
from execution.context import Context
from execution.domain.reconciliation import Kind
from execution.models import BrokerDifference, Order


def of(order: Order, context: Context) -> tuple[str, str] | None:
    """The shares that the break of an order's symbol is about, ours and the broker's."""
    return (
        still_open()
        .filter(broker=context.broker.name, account=order.account, symbol=order.symbol)
        .values_list("ours", "theirs")
        .first()
    )


def all_open(context: Context) -> Mapping[tuple[str, str], tuple[str, str]]:
    """`of` by account and symbol, for orders that are not stored yet."""
    return {
        (account, symbol): (ours, theirs)
        for account, symbol, ours, theirs in _OPEN.all(broker=context.broker.name)
    }


def still_open() -> "QuerySet[BrokerDifference]":
    return BrokerDifference.objects.filter(kind=Kind.POSITION, gone_at_real__isnull=True)


_OPEN = Prepared[tuple[str, str, str, str]](
    lambda: (
        still_open()
        .filter(broker=Param("broker", ""))
        .order_by("-pk")  # the first one counts
        .values_list("account", "symbol", "ours", "theirs")
    )
)
