"""Alpaca tells halts by its stream alone: those that people have entered come with its quotes."""

from datetime import timedelta

import pytest

from execution.broker.alpaca.market_data import AlpacaMarket
from execution.market.base import Halt
from execution.market.trading_halts import Span, TradingHalts
from tests.brokers.alpaca_rig import AlpacaRig
from tests.brokers.alpaca_rig import settings as configured


@pytest.mark.parametrize("minutes_ago", [0, 2], ids=["now", "a moment that is past"])
def test_a_quote_says_that_its_symbol_is_halted(alpaca: AlpacaRig, minutes_ago: int) -> None:
    asked = alpaca.now() - timedelta(minutes=minutes_ago)
    since = asked - timedelta(minutes=1)
    for symbol in ("XYZ", "FREE"):
        alpaca.peer.tell("quote", symbol=symbol, bp=10.0, ap=10.1, t=f"{since:%Y-%m-%dT%H:%M:%SZ}")
    known = TradingHalts(lambda: {"XYZ": [Span(since, None, "volatility")]})
    market = AlpacaMarket(configured(alpaca.peer.url), known)

    halted, free = market.quote("XYZ", asked), market.quote("FREE", asked)
    assert halted is not None
    assert halted.halt == Halt(since, "volatility")
    assert free is not None
    assert free.halt is None
