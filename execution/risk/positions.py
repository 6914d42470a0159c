"""What an account holds, in one place: our own fills at its broker, what was there before we came,
and what a person has accepted since of other people's trades."""

from collections.abc import Iterable, Mapping

from deepstack.database.prepared_query import Param, Prepared
from execution.broker.base import AccountBroker
from execution.context import Context
from execution.models import BrokerAccount, Position

_OWN = Prepared[tuple[str, int]](
    lambda: (
        Position.objects.filter(broker=Param("broker", ""), account=Param("account", ""))
        .exclude(shares=0)
        .values_list("symbol", "shares")
    )
)
_OWN_OF_SYMBOL = Prepared[tuple[int]](
    lambda: Position.objects.filter(
        broker=Param("broker", ""), account=Param("account", ""), symbol=Param("symbol", "")
    ).values_list("shares"),
    many=True,
)

_ACCOUNT = Prepared[BrokerAccount](
    lambda: BrokerAccount.objects.filter(broker=Param("broker", ""), account=Param("account", "")),
    many=True,
)


def read_ahead(books: Iterable[tuple[str, str]], context: Context) -> None:
    """For `held` of one symbol, of accounts and symbols."""
    books, broker = list(books), context.broker.name
    _ACCOUNT.read_ahead({"broker": broker, "account": account} for account, _ in books)
    _OWN_OF_SYMBOL.read_ahead(
        {"broker": broker, "account": account, "symbol": symbol} for account, symbol in books
    )


def held(account: str, context: Context, *, symbol: str | None = None) -> dict[str, int] | None:
    """Signed shares by symbol, of all symbols or of one; None where what the account holds beside
    our fills is not known: it trades live and was never compared with its broker."""
    extra = _beside(account, context)
    if extra is None:
        return None
    broker = context.broker.name
    if symbol is None:
        own = dict(_OWN.all(broker=broker, account=account))
        return {each: own.get(each, 0) + extra.get(each, 0) for each in {*own, *extra}}
    row = _OWN_OF_SYMBOL.first(broker=broker, account=account, symbol=symbol)
    return {symbol: (row[0] if row else 0) + extra.get(symbol, 0)}


def _beside(account: str, context: Context) -> Mapping[str, int] | None:
    row = _ACCOUNT.first(broker=context.broker.name, account=account)
    if row is not None and row.accepted_at_real is not None:
        beside: dict[str, int] = row.positions_beside
        return beside
    live = context.config.trading_mode == "live"
    # Of a broker that cannot be asked about its accounts nobody ever learns more.
    return None if live and isinstance(context.broker.broker, AccountBroker) else {}
