"""What the account's symbols are worth and how much they move, read before any lock is taken, as
a source of quotes may be a network away."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from math import log
from statistics import stdev
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, Expression, F, OuterRef, QuerySet

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
NEAR_CLOSE = timedelta(minutes=30)


class TooFewSessions(LookupError):
    """The market has too little history of the symbol."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Mids per share, and daily volatilities as shares (0.02 is 2 %); a symbol that the market
    says nothing about is left out. `funds` where buys are held within the buying power. `symbols`:
    the symbols that the market was asked about; None: nobody asked."""

    prices: Mapping[str, Decimal] = field(default_factory=dict)
    volatility: Mapping[str, float] = field(default_factory=dict)
    funds: Funds | None = None
    symbols: frozenset[str] | None = None

    def read_before(self, symbol: str) -> bool:
        """Whether the symbol was among the account's when the marks were read."""
        return self.symbols is None or symbol in self.symbols


NO_MARKS = Marks()


def _traded_since_midnight(account: Expression | F) -> "QuerySet[DayTrade, Any]":
    """The symbols that an account has traded since the exchange's midnight, at any broker."""
    return (
        DayTrade.objects.filter(account=account, midnight=Param("midnight", NEVER))
        .order_by()
        .values_list("symbol")
        .distinct()
    )


_TRADED_TODAY = Prepared[tuple[str]](lambda: _traded_since_midnight(Param("account", "")))
# For a query of slices that is made anyway; the symbols where a limit surely asks for them.
SET_BY_HAND = {
    "loss_set": Exists(RiskLimit.objects.filter(max_daily_loss__isnull=False)),
    "heat_set": Exists(RiskLimit.objects.filter(max_portfolio_heat__isnull=False)),
}
TRADED = {"traded": ArraySubquery(_traded_since_midnight(OuterRef("order__account")))}


@dataclass(frozen=True, slots=True)
class Needed:
    """Which limits need marks; `traded`: the account's symbols of the day, where they were read
    already."""

    loss: bool
    heat: bool
    traded: Collection[str] | None = None


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
    """`needed`, of a slice that was read with SET_BY_HAND and perhaps TRADED."""
    known = _needed(context, loss=part.loss_set, heat=part.heat_set)  # type: ignore[attr-defined]
    return replace(known, traded=vars(part).get("traded"))


def _needed(context: Context, *, loss: bool, heat: bool) -> Needed:
    limits = context.config.limits
    return Needed(
        loss=loss or limits.max_daily_loss is not None,
        heat=heat or limits.max_portfolio_heat is not None,
    )


def read(account: str, symbol: str, context: Context, *, needed: Needed, now: datetime) -> Marks:
    """The market is asked for nothing that no limit needs."""
    symbols = set(needed.traded or ()) if needed.loss else set()
    if needed.loss and needed.traded is None:
        symbols = _traded_today(account, now)
    held = positions.held(account, context) if needed.heat else {}
    if needed.heat:
        symbols |= {symbol, *(held or ())}
    return Marks(
        _prices(symbols, context.market, now),
        _volatilities(symbols, context.market, now) if needed.heat else {},
        buying_power.of(account, context, now=now) if context.bounds.within_buying_power else None,
        frozenset(symbols) if (needed.loss or needed.heat) and held is not None else None,
    )


def _traded_today(account: str, now: datetime) -> set[str]:
    rows = _TRADED_TODAY.all(account=account, midnight=exchange_midnight(now))
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
            bars = market.bars(symbol, session.close - NEAR_CLOSE, session.close)
            closes.extend(float(bar.close) for bar in bars[-1:])
    returns = [log(after / before) for before, after in pairwise(closes[-SESSIONS - 1 :])]
    if len(returns) < FEWEST_RETURNS:
        raise TooFewSessions(f"{symbol}: {len(returns)} returns, {FEWEST_RETURNS} are needed")
    return stdev(returns)
