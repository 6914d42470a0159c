"""What an account holds, in one place: our own fills at its broker, what was there before we came,
and what a person has accepted since of other people's trades."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from deepstack.database.prepared_query import Param, Prepared
from execution.broker.base import AccountBroker
from execution.context import Context
from execution.models import BrokerAccount, Position

_OWN = Prepared[tuple[str, int]](
    lambda: (
        Position.objects.filter(broker=Param("broker", ""), account=Param("account", ""))
        .exclude(shares=0)
        .values_list("symbol", "shares")
    ),
    kept=True,
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

NOTHING: Mapping[str, int] = {}


class _Last(threading.local):
    """The positions of the question before. All of a set ask about the same, which may be of
    thousands of symbols, and who has them knows them again."""

    own: Sequence[tuple[str, int]] | None = None
    beside: Mapping[str, int] = NOTHING
    result: Mapping[str, int] = NOTHING

    def sum_of(
        self, own: Sequence[tuple[str, int]], beside: Mapping[str, int]
    ) -> Mapping[str, int]:
        if own is not self.own or beside is not self.beside:
            shares = Counter(dict(own))
            shares.update(beside)
            self.own, self.beside, self.result = own, beside, dict(shares)
        return self.result


_last = _Last()


def read_ahead(books: Iterable[tuple[str, str]], context: Context) -> None:
    """For `held` of one symbol, of accounts and symbols."""
    books, broker = list(books), context.broker.name
    _ACCOUNT.read_ahead({"broker": broker, "account": account} for account, _ in books)
    _OWN_OF_SYMBOL.read_ahead(
        {"broker": broker, "account": account, "symbol": symbol} for account, symbol in books
    )


def held(account: str, context: Context, *, symbol: str | None = None) -> Mapping[str, int] | None:
    """Signed shares by symbol, of all symbols or of one; None where what the account holds beside
    our fills is not known: it trades live and was never compared with its broker."""
    extra = _beside(account, context)
    if extra is None:
        return None
    broker = context.broker.name
    if symbol is None:
        return _last.sum_of(_OWN.all(broker=broker, account=account), extra)
    row = _OWN_OF_SYMBOL.first(broker=broker, account=account, symbol=symbol)
    return {symbol: (row[0] if row else 0) + extra.get(symbol, 0)}


def _beside(account: str, context: Context) -> Mapping[str, int] | None:
    row = _ACCOUNT.first(broker=context.broker.name, account=account)
    if row is not None and row.accepted_at_real is not None:
        beside: dict[str, int] = row.positions_beside
        return beside
    live = context.config.trading_mode == "live"
    # Of a broker that cannot be asked about its accounts nobody ever learns more.
    return None if live and isinstance(context.broker.broker, AccountBroker) else NOTHING
