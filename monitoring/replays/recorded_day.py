"""The market of an order's day, as it was recorded, and the paper exchange on it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from deepstack.config import Config
from execution.domain.exchange_time import exchange_time
from execution.domain.session import Session
from execution.market.base import MarketData, TrialMarket
from execution.market.own_impact import OwnImpact
from execution.models import Order
from monitoring.replays.exchange import Market
from monitoring.replays.tape import Quotes, Tape, quotes_of
from monitoring.replays.ways import arrival_quote

MINUTE = timedelta(minutes=1)
LONGER = timedelta(minutes=31)  # windows as long as this have bars of one minute from every source


@dataclass(frozen=True)
class RecordedDay:
    """Of an order, until the end of the longest window that it is replayed in."""

    order: Order
    session: Session
    market: MarketData
    config: Config
    until: datetime

    @cached_property
    def tape(self) -> Tape:
        """From the session's open on, as the day's volume is told from it; raises
        MarketDataUnavailable."""
        order, first = self.order, self.order.start_at - LONGER
        if not self.session.always:
            first = min(first, self.session.open)
        bars = self.market.bars(order.symbol, first, self.until)
        return Tape(bars, self._quotes(Tape(bars, lambda _: None)))

    def _quotes(self, tape: Tape) -> Quotes:
        """A trial market knows them; of another one no more than the bars is asked for."""
        market, symbol = self.market, self.order.symbol
        if isinstance(market, TrialMarket):
            return lambda at: market.quote(symbol, at)
        return quotes_of(
            tape.bars,
            spread_bps=self.spread_bps,
            displayed=self.config.paper.displayed_shares,
            before=arrival_quote(self.order),
        )

    @property
    def spread_bps(self) -> float:
        """The one at arrival, or where there was none, the configured one."""
        quote = arrival_quote(self.order)
        if quote is None or quote.bid >= quote.ask:
            return self.config.execution.slippage.base_spread_bps
        return float(quote.spread_bps)

    @cached_property
    def exchange(self) -> Market:
        paper, at = self.config.paper, self.order.start_at
        if not self.session.always:
            at = self.session.close  # where nothing was learned, the whole day tells its volume
        return Market(
            participation=paper.participation,
            displayed=paper.displayed_shares,
            coefficient=paper.impact.coefficient,
            half_life=MINUTE * paper.impact.half_life_minutes,
            liquidity=OwnImpact(self.config, self.market).liquidity(self.order.symbol, at),
            commission_per_share=paper.commission_per_share,
            minimum_commission=paper.minimum_commission,
        )

    @property
    def minutes(self) -> int:
        """Bars since the order's start."""
        return len(self.tape.between(self.order.start_at.replace(second=0), self.until))

    @property
    def problem(self) -> str:
        """Why nothing can be replayed; empty where it can."""
        if not self.minutes:
            window = f"{exchange_time(self.order.start_at)} to {exchange_time(self.until)}"
            return f"no tape of {self.order.symbol} from {window}"
        if self.tape.mid(self.until) is None:
            return f"no quote of {self.order.symbol} at {exchange_time(self.until)}"
        return ""

    @property
    def assumptions(self) -> dict[str, object]:
        """What every figure of this order rests on."""
        impact, known = self.config.paper.impact, self.exchange.liquidity
        return {
            "bars": self.minutes,
            "spread_bps": round(self.spread_bps, 4),
            "impact_coefficient": impact.coefficient,
            "impact_half_life_minutes": impact.half_life_minutes,
            "daily_volume": None if known is None else round(known.daily_volume),
            "daily_volatility": None if known is None else round(known.daily_volatility, 6),
            "displayed_shares": self.exchange.displayed,
            "participation_at_rest": str(self.exchange.participation),
            "seed": self.order.seed,
        }
