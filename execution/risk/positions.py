"""What an account holds, in one place: our own fills, what was there before we came, and what a
person has accepted since of other people's trades."""

from collections.abc import Mapping

from django.db.models import Case, F, Sum, When

from deepstack.database.prepared_query import Param, Prepared
from execution.broker.base import AccountBroker
from execution.context import Desk
from execution.models import BrokerAccount, Order
from execution.models.orders import Side

SIGN = Case(When(side=Side.BUY, then=1), default=-1)
_OWN = Prepared[tuple[str, int]](
    lambda: (
        Order.objects.filter(account=Param("account", ""), filled_quantity__gt=0)
        .order_by()
        .values_list("symbol")
        .annotate(shares=Sum(SIGN * F("filled_quantity")))
    )
)
_OWN_OF_SYMBOL = Prepared[tuple[str, int]](
    lambda: (
        Order.objects.filter(account=Param("account", ""), symbol=Param("symbol", ""))
        .order_by()
        .values_list("symbol")
        .annotate(shares=Sum(SIGN * F("filled_quantity")))
    )
)


def held(account: str, desk: Desk, *, symbol: str | None = None) -> dict[str, int] | None:
    """Signed shares by symbol, of all symbols or of one; None where what the account holds beside
    our fills is not known: it trades live and was never compared with its broker."""
    extra = _beside(account, desk)
    if extra is None:
        return None
    if symbol is None:
        own = dict(_OWN.all(account=account))
        return {each: own.get(each, 0) + extra.get(each, 0) for each in {*own, *extra}}
    own = dict(_OWN_OF_SYMBOL.all(account=account, symbol=symbol))
    return {symbol: own.get(symbol, 0) + extra.get(symbol, 0)}


def _beside(account: str, desk: Desk) -> Mapping[str, int] | None:
    row = BrokerAccount.objects.filter(broker=desk.broker.name, account=account).first()
    if row is not None and row.accepted_wall is not None:
        beside: dict[str, int] = row.positions_beside
        return beside
    live = desk.config.trading_mode == "live"
    # Of a broker that tells nothing of its accounts nobody ever learns more.
    return None if live and isinstance(desk.broker.broker, AccountBroker) else {}
