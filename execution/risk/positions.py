"""What an account holds, in one place: our own fills at its broker, what was there before we came,
and what a person has accepted since of other people's trades."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django.db.models import Case, F, QuerySet, Sum, When

from deepstack.database.prepared_query import Param, Prepared
from execution.broker import BROKERS
from execution.broker.base import AccountBroker
from execution.context import Context
from execution.models import BrokerAccount, Fill, Order
from execution.models.orders import Side

_SIGN = Case(When(side=Side.BUY, then=1), default=-1)
_TAKEN_BACK = Case(When(order__side=Side.BUY, then=-1), default=1)


def _own(broker: str, **bounds: Param) -> "QuerySet[Any, tuple[str, int]]":
    """Signed shares by symbol: the orders' totals, and less what other brokers executed of them.

    An account of the same name at another broker, such as the paper one before trading went live,
    is another account. Of the other brokers there are few fills or none, which an index finds.
    """
    ours = Order.objects.filter(filled_quantity__gt=0, **bounds)
    elsewhere = Fill.objects.filter(
        broker__in=[name for name in BROKERS if name != broker],
        **{f"order__{name}": value for name, value in bounds.items()},
    )
    return (
        ours.order_by()
        .values_list("symbol")
        .annotate(shares=Sum(_SIGN * F("filled_quantity")))
        .union(
            elsewhere.order_by()
            .values_list("order__symbol")
            .annotate(shares=Sum(_TAKEN_BACK * F("quantity"))),
            all=True,
        )
    )


_ACCOUNT, _SYMBOL = Param("account", ""), Param("symbol", "")
_OWN = {
    broker: Prepared[tuple[str, int]](partial(_own, broker, account=_ACCOUNT))
    for broker in ("", *BROKERS)
}
_OWN_OF_SYMBOL = {
    broker: Prepared[tuple[str, int]](partial(_own, broker, account=_ACCOUNT, symbol=_SYMBOL))
    for broker in ("", *BROKERS)
}


def held(account: str, desk: Context, *, symbol: str | None = None) -> dict[str, int] | None:
    """Signed shares by symbol, of all symbols or of one; None where what the account holds beside
    our fills is not known: it trades live and was never compared with its broker."""
    extra = _beside(account, desk)
    if extra is None:
        return None
    broker = listed_broker(desk)
    if symbol is None:
        own = _summed(_OWN[broker].all(account=account))
        return {each: own.get(each, 0) + extra.get(each, 0) for each in {*own, *extra}}
    own = _summed(_OWN_OF_SYMBOL[broker].all(account=account, symbol=symbol))
    return {symbol: own.get(symbol, 0) + extra.get(symbol, 0)}


def listed_broker(desk: Context) -> str:
    """The desk's broker, empty for one that is not among `BROKERS`."""
    return desk.broker.name if desk.broker.name in BROKERS else ""


def _summed(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for symbol, shares in rows:
        totals[symbol] = totals.get(symbol, 0) + shares
    return totals


def _beside(account: str, desk: Context) -> Mapping[str, int] | None:
    row = BrokerAccount.objects.filter(broker=desk.broker.name, account=account).first()
    if row is not None and row.accepted_wall is not None:
        beside: dict[str, int] = row.positions_beside
        return beside
    live = desk.config.trading_mode == "live"
    # Of a broker that tells nothing of its accounts nobody ever learns more.
    return None if live and isinstance(desk.broker.broker, AccountBroker) else {}
