"""The settings of the market data."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from deepstack.config_types import Bps, PositiveSeconds, Price, Section, Seed, Symbol


class Simulated(Section):
    seed: Seed = 7
    spread_bps: Bps = Decimal(2)
    daily_volatility: Annotated[float, Field(ge=0, lt=1)] = 0.02
    average_daily_volume: Annotated[int, Field(gt=0, le=10**12)] = 20_000_000
    prices: dict[Symbol, Price] = {
        "AAPL": Decimal(150),
        "MSFT": Decimal(330),
        "GOOGL": Decimal(125),
    }


class Replay(Section):
    spread_bps: Bps = Decimal(2)
    # Bars are made of trades, not of quotes: the last close stands as a quote in force this long.
    quote_grace_seconds: PositiveSeconds = 900.0


class Market(Section):
    source: str = "simulated"
    # Alpaca allows one data stream a login: whoever needs it for a strategy enters halts by hand.
    halts_from_source: bool = True
    simulated: Simulated = Simulated()
    replay: Replay = Replay()
