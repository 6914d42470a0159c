"""The sources of market data, each made of the configuration and the known trading halts. To add
one, add its line."""

from functools import cache

from django.utils.module_loading import import_string

from deepstack import django_setup
from deepstack.config import Config, ConfigError, current
from execution.market import trading_halts
from execution.market.base import MarketData

MARKET_DATA = {
    "simulated": "execution.market.simulated.SimulatedMarket",
    "replay": "execution.market.replay.ReplayMarket",
    "alpaca": "execution.broker.alpaca.market_data.AlpacaMarket",
}


def open_market(config: Config) -> MarketData:
    """The market that `market.source` names; raises ConfigError when there is no such source."""
    source = config.market.source
    if source not in MARKET_DATA:
        allowed = ", ".join(sorted(MARKET_DATA))
        raise ConfigError(f"market.source = {source!r}: no such source; allowed are {allowed}")
    django_setup.ensure()
    market: MarketData = import_string(MARKET_DATA[source])(config, trading_halts.stored())
    return market


@cache
def market_data() -> MarketData:
    """The market of this process, as its own paper orders have moved it."""
    config = current()
    market = open_market(config)
    from execution.market import own_impact  # reads the models, which need Django set up

    return own_impact.as_paper_orders_meet_it(market, config)
