"""What the account's symbols are worth and how much they move, read before any lock is taken, as
a source of quotes may be a network away.

The market is asked about all symbols of an account, which may be thousands; what it says serves
all that the process sends and accepts for the account within a second or a few.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from math import log
from statistics import stdev
from threading import Lock

from cachetools import LRUCache
from django.db.models import Count, Exists

from deepstack.database.prepared_query import NEVER, Param, Prepared
from execution.context import Context
from execution.domain.exchange_time import exchange_midnight
from execution.market.base import MarketData, MarketDataUnavailable
from execution.models import DayTrade, RiskLimit, Slice
from execution.risk import buying_power, positions
from execution.risk.buying_power import Funds

SESSIONS = 20
FEWEST_RETURNS = 5
LOOK_BACK_DAYS = 32
# Before a session's end, where its last price is looked for: most stocks trade in the last minute.
NEAR_CLOSE = timedelta(minutes=1), timedelta(minutes=30)
# Trading time for which marks serve: for a book of 3,000 symbols six seconds.
KEPT_AT_LEAST = timedelta(seconds=1)
KEPT_A_SYMBOL = timedelta(milliseconds=2)
SOONER = 4  # times sooner is asked again what the market did not answer in full
MOST_ACCOUNTS = 1_000  # whose marks a process keeps


class TooFewSessions(LookupError):
    """The market has too little history of the symbol."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Mids per share, and daily volatilities as shares (0.02 is 2 %); a symbol that the market
    says nothing about is left out. `funds` where buys are held within the buying power. `symbols`:
    the symbols that the market was asked about; None: nobody asked. `question` is the same object
    in all that come of one question about the account's symbols."""

    prices: Mapping[str, Decimal] = field(default_factory=dict)
    volatility: Mapping[str, float] = field(default_factory=dict)
    funds: Funds | None = None
    symbols: frozenset[str] | None = None
    question: object = field(default_factory=object, compare=False)

    def read_before(self, symbol: str) -> bool:
        """Whether the symbol was among the account's when the marks were read."""
        return self.symbols is None or symbol in self.symbols


NO_MARKS = Marks()


# The symbols that an account has traded since the exchange's midnight, at any broker.
_TRADED_TODAY = Prepared[tuple[str]](
    lambda: (
        DayTrade.objects.filter(account=Param("account", ""), midnight=Param("midnight", NEVER))
        .order_by()
        .values_list("symbol")
        .distinct()
    )
)
# For a query of slices that is made anyway.
SET_BY_HAND = {
    "loss_set": Exists(RiskLimit.objects.filter(max_daily_loss__isnull=False)),
    "heat_set": Exists(RiskLimit.objects.filter(max_portfolio_heat__isnull=False)),
}


@dataclass(frozen=True, slots=True)
class Needed:
    """Which limits need marks."""

    loss: bool
    heat: bool


def needed(context: Context) -> Needed:
    set_by_hand = RiskLimit.objects.aggregate(
        loss=Count("max_daily_loss"), heat=Count("max_portfolio_heat")
    )
    return _needed(context, loss=bool(set_by_hand["loss"]), heat=bool(set_by_hand["heat"]))


def needed_by(limits: Sequence[RiskLimit], context: Context) -> Needed:
    """`needed`, by all the limits there are."""
    return _needed(
        context,
        loss=any(row.max_daily_loss is not None for row in limits),
        heat=any(row.max_portfolio_heat is not None for row in limits),
    )


def needed_for(part: Slice, context: Context) -> Needed:
    """`needed`, of a slice that was read with SET_BY_HAND."""
    return _needed(context, loss=part.loss_set, heat=part.heat_set)  # type: ignore[attr-defined]


def _needed(context: Context, *, loss: bool, heat: bool) -> Needed:
    limits = context.config.limits
    return Needed(
        loss=loss or limits.max_daily_loss is not None,
        heat=heat or limits.max_portfolio_heat is not None,
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    marks: Marks
    begins: datetime
    ends: datetime


_kept: LRUCache[tuple[object, ...], _Kept] = LRUCache(maxsize=MOST_ACCOUNTS)
_lock = Lock()


def forget() -> None:
    """Ask the market anew at the next question."""
    with _lock:
        _kept.clear()


def read(account: str, symbol: str, context: Context, *, needed: Needed, now: datetime) -> Marks:
    """The market is asked for nothing that no limit needs; what it says may be a second old, or for
    each symbol of the account two milliseconds."""
    marks = NO_MARKS
    if needed.loss or needed.heat:
        marks = _of_account(account, context, needed=needed, now=now)
    if needed.heat:
        marks = _with(symbol, marks, context.market, now)
    if context.bounds.within_buying_power:
        marks = replace(marks, funds=buying_power.of(account, context, now=now))
    return marks


def _of_account(account: str, context: Context, *, needed: Needed, now: datetime) -> Marks:
    """Of all that the account has traded today, for its loss, or holds, for its heat."""
    midnight = exchange_midnight(now)
    key = account, midnight, context.market, context.broker.name, needed
    with _lock:
        kept = _kept.get(key)
    if kept is not None and kept.begins <= now < kept.ends:
        return kept.marks
    held = positions.held(account, context) if needed.heat else {}
    symbols = _traded_today(account, midnight) if needed.loss else set()
    symbols |= (held or {}).keys()
    prices = _prices(symbols, context.market, now)
    volatility = _volatilities(symbols, context.market, now) if needed.heat else {}
    marks = Marks(prices, volatility, symbols=frozenset(symbols) if held is not None else None)
    lasts = max(KEPT_AT_LEAST, KEPT_A_SYMBOL * len(symbols))
    if held is None or len(prices) < len(symbols):
        lasts /= SOONER
    with _lock:
        _kept[key] = _Kept(marks, now, now + lasts)
    return marks


def _with(symbol: str, marks: Marks, market: MarketData, now: datetime) -> Marks:
    """With a symbol that the account does not hold yet."""
    if symbol in marks.prices:
        return marks
    return replace(
        marks,
        prices={**marks.prices, **_prices({symbol}, market, now)},
        volatility={**marks.volatility, **_volatilities({symbol}, market, now)},
        symbols=None if marks.symbols is None else marks.symbols | {symbol},
    )


def _traded_today(account: str, midnight: datetime) -> set[str]:
    rows = _TRADED_TODAY.all(account=account, midnight=midnight)
    return {symbol for (symbol,) in rows}


def _prices(symbols: Iterable[str], market: MarketData, now: datetime) -> dict[str, Decimal]:
    prices = {}
    for symbol in symbols:
        with suppress(MarketDataUnavailable):
            quote = market.quote(symbol, now)
            if quote is not None:
                prices[symbol] = quote.mid
    return prices


def _volatilities(symbols: Iterable[str], market: MarketData, now: datetime) -> dict[str, float]:
    found = {}
    for symbol in symbols:
        with suppress(MarketDataUnavailable, TooFewSessions):
            found[symbol] = daily_volatility(symbol, market, exchange_midnight(now))  # type: ignore[arg-type]  # by identity
    return found


@lru_cache(maxsize=4096)
def daily_volatility(symbol: str, market: MarketData, midnight: datetime) -> float:
    """The standard deviation of the logarithmic returns from close to close over the last
    sessions, at most 20, that had ended by `midnight`. Raises TooFewSessions, which the next call
    tries again."""
    closes: list[float] = []
    for days in range(LOOK_BACK_DAYS, 0, -1):
        session = market.session(midnight - timedelta(days=days) + timedelta(hours=12))
        if session is not None and session.close <= midnight:
            closes += _last_price(symbol, session.close, market)
    returns = [log(after / before) for before, after in pairwise(closes[-SESSIONS - 1 :])]
    if len(returns) < FEWEST_RETURNS:
        raise TooFewSessions(f"{symbol}: {len(returns)} returns, {FEWEST_RETURNS} are needed")
    return stdev(returns)


def _last_price(symbol: str, close: datetime, market: MarketData) -> list[float]:
    """One, or none."""
    for near in NEAR_CLOSE:
        if bars := market.bars(symbol, close - near, close):
            return [float(bars[-1].close)]
    return []
