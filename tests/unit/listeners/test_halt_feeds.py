"""Whose trading statuses are listened to."""

import pytest
from django.utils.module_loading import import_string

from deepstack.config import Config
from deepstack.config_market import Market
from execution.broker.alpaca.trading_status import Statuses
from execution.listeners.trading_status import feed_of


@pytest.mark.parametrize("broker", ["alpaca", "ibkr"])
def test_halts_come_from_the_source_of_prices_whichever_broker_trades(broker: str) -> None:
    config = Config(live_broker=broker, market=Market(source="alpaca"))
    assert import_string(feed_of(config) or "") is Statuses


@pytest.mark.parametrize(
    "market", [Market(), Market(source="replay"), Market(source="alpaca", halts_from_source=False)]
)
def test_else_people_enter_them(market: Market) -> None:
    assert feed_of(Config(market=market)) is None
