"""The market as the paper orders of the day have moved it: `execution.domain.own_impact`.

The tape stays as it was recorded: it says what others traded, without us.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from deepstack import django_setup
from deepstack.config import Config
from execution.domain.costs import REFERENCE_VOLATILITY
from execution.domain.exchange_time import day_begins, exchange_day
from execution.domain.own_impact import UNMOVED, Flow, Liquidity, Shifts, moved, shift
from execution.domain.session import Session
from execution.domain.volume_profile import U_SHAPE
from execution.market.base import MarketData, Quote, TapeBar, volume

django_setup.ensure()

from deepstack.database.statement import run  # noqa: E402
from execution.models import VolumeProfile  # noqa: E402

_NOTE = """
    INSERT INTO execution_paperflow AS known (symbol, minute, bought, sold)
    VALUES (%s, date_trunc('minute', %s::timestamptz), %s, %s)
    ON CONFLICT (symbol, minute) DO UPDATE SET
        bought = known.bought + excluded.bought, sold = known.sold + excluded.sold
"""
_FLOW = """
    SELECT coalesce(sum(bought * weight), 0), coalesce(sum(sold * weight), 0),
           coalesce(sum(bought - sold), 0)
      FROM (SELECT bought, sold,
                   power(0.5, extract(epoch FROM %s::timestamptz - minute) / %s) AS weight
              FROM execution_paperflow
             WHERE symbol = %s AND minute >= %s AND minute <= %s) AS today
"""
_LEAST_OF_DAY = 0.01  # of its expected volume, before which a day's volume is not told from it


class OwnImpact:
    """What paper orders have executed, and how far that moves a price. Of no effect where
    `paper.impact.coefficient` is 0, and where a symbol's volume is not known."""

    def __init__(self, config: Config, market: MarketData) -> None:
        self._config = config
        self._market = market
        self._settings = config.paper.impact
        self._learned = lru_cache(maxsize=1024)(_learned)

    @property
    def is_on(self) -> bool:
        return self._settings.coefficient > 0

    def note(self, symbol: str, side: str, quantity: int, at: datetime) -> None:
        """Count an execution."""
        if self.is_on:
            bought, sold = (quantity, 0) if side == "BUY" else (0, quantity)
            run(_NOTE, (symbol, at, bought, sold))

    def shifts(self, symbol: str, at: datetime, *, quantity: int = 0) -> Shifts:
        """By which part of itself the touch of each side has moved, for an order of `quantity`;
        empty where nothing moves it."""
        known = self.liquidity(symbol, at) if self.is_on else None
        if known is None:
            return UNMOVED
        flow = self._flow(symbol, at)
        coefficient = self._settings.coefficient
        moved = {
            side: shift(side, flow, known, coefficient=coefficient, quantity=quantity)
            for side in ("BUY", "SELL")
        }
        return {side: Decimal(repr(round(part, 9))) for side, part in moved.items()}

    def _flow(self, symbol: str, at: datetime) -> Flow:
        seconds = self._settings.half_life_minutes * 60
        begun = day_begins(exchange_day(at))
        row = run(_FLOW, (at, seconds, symbol, begun, at)).fetchone()
        return Flow(float(row[0]), float(row[1]), int(row[2])) if row else Flow()

    def liquidity(self, symbol: str, at: datetime) -> Liquidity | None:
        """By what impact is measured; None where nothing is known of the symbol's volume."""
        if self._market.name == "simulated":
            simulated = self._config.market.simulated
            return Liquidity(simulated.average_daily_volume, simulated.daily_volatility)
        return self._learned(symbol, exchange_day(at)) or self._seen_today(symbol, at)

    def _seen_today(self, symbol: str, at: datetime) -> Liquidity | None:
        """Where nothing was learned: the day's volume by its pace so far."""
        session = self._market.session(at)
        if session is None:
            return None
        part = U_SHAPE.share_between(session, session.open, at)
        traded = volume(self._market.bars(symbol, session.open, at))
        if part < _LEAST_OF_DAY or not traded:
            return None
        return Liquidity(traded / part, REFERENCE_VOLATILITY)


def _learned(symbol: str, day: date) -> Liquidity | None:
    rows = VolumeProfile.objects.filter(symbol=symbol, until__lt=day, mean_volume__gt=0)
    columns = rows.order_by("-until", "-id").values_list("mean_volume", "daily_volatility")
    row = columns.first()
    return Liquidity(row[0] or 0.0, row[1] or REFERENCE_VOLATILITY) if row else None


class MovedMarket:
    """A market whose quotes are moved by what paper orders of the day have executed."""

    def __init__(self, config: Config, market: MarketData) -> None:
        self.recorded = market
        self.name = market.name
        self._impact = OwnImpact(config, market)

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        quote = self.recorded.quote(symbol, at)
        if quote is None:
            return None
        shifts = self._impact.shifts(symbol, at)
        return replace(
            quote, bid=moved(quote.bid, "SELL", shifts), ask=moved(quote.ask, "BUY", shifts)
        )

    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        return self.recorded.bars(symbol, start, end)

    def session(self, at: datetime) -> Session | None:
        return self.recorded.session(at)

    def next_session(self, at: datetime) -> Session:
        return self.recorded.next_session(at)


def fills_of(config: Config) -> str:
    """By what orders are filled, in the words of previews; empty where a real broker fills them."""
    if config.trading_mode != "paper":
        return ""
    coefficient = config.paper.impact.coefficient
    if coefficient == 0:
        return "paper fills without market impact (paper.impact.coefficient is 0)"
    return f"paper fills with market impact, {coefficient:g} times the square-root law"


def as_paper_orders_meet_it(market: MarketData, config: Config) -> MarketData:
    """The market that strategies and the service see: moved, where they trade on paper and an
    impact is configured."""
    paper = config.trading_mode == "paper" and config.paper.impact.coefficient > 0
    return MovedMarket(config, market) if paper else market


def recorded(market: MarketData) -> MarketData:
    """The same market without what paper orders have done to it."""
    return market.recorded if isinstance(market, MovedMarket) else market
