"""The mid of a market at a moment."""

from datetime import datetime
from decimal import Decimal

from execution.market.base import MarketData


def mid_at(
    market: MarketData, symbol: str, at: datetime, *, now: datetime | None = None
) -> Decimal | None:
    """The mid of a quote that is not crossed; None when there is none, or `at` is to come."""
    if now is not None and at > now:
        return None
    quote = market.quote(symbol, at)
    return quote.mid if quote is not None and 0 < quote.bid <= quote.ask else None
