"""Paper orders move the price that the next ones pay, and quotes show it."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from deepstack.config import Config
from deepstack.config_paper import Paper, PaperImpact
from execution.broker.base import Ticket
from execution.broker.paper_trader import PaperTrader
from execution.market.base import Quote
from execution.market.own_impact import as_paper_orders_meet_it, fills_of
from execution.market.simulated import SimulatedMarket
from execution.models import PaperExecution, PaperFlow, PaperOrder, PaperVolume
from tests.integration.broker.test_paper_trader import MARKET, NOW

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SIZE = 400


def config(coefficient: float) -> Config:
    return Config(paper=Paper(impact=PaperImpact(coefficient=coefficient)))


def quote(market: Any, minute: int) -> Quote:
    found = market.quote("AAPL", NOW + MINUTE * minute)
    assert isinstance(found, Quote)
    return found


def trade(settings: Config, sides: Sequence[str]) -> list[Decimal]:
    """One marketable order each minute; how much worse than the recorded touch each was filled."""
    paper, worse = PaperTrader(config=settings, market=SimulatedMarket(settings)), []
    for minute, side in enumerate(sides):
        recorded, sign = quote(MARKET, minute), 1 if side == "BUY" else -1
        touch = recorded.ask if side == "BUY" else recorded.bid
        limit = touch + sign * 5
        ticket = Ticket(f"{side}-{minute}", "default", "AAPL", side, SIZE, limit)
        answer = paper.place(ticket, now=NOW + MINUTE * minute)
        assert answer.filled_quantity == SIZE
        paid = sum(each.price * each.quantity for each in answer.executions) / SIZE
        worse.append(sign * (paid - touch))
    return worse


ROUND_TRIP = ["BUY"] * 5 + ["SELL"] * 5


def test_a_round_trip_costs_more_than_the_book() -> None:
    free = trade(config(0), ROUND_TRIP)
    assert not PaperFlow.objects.exists()
    PaperOrder.objects.all().delete()
    PaperVolume.objects.all().delete()
    paid = trade(config(1), ROUND_TRIP)
    assert sum(paid) > sum(free)
    assert [each > other for each, other in zip(paid[:5], free, strict=False)] == [True] * 5
    assert paid[4] > paid[0]


def test_quotes_are_moved_and_come_back() -> None:
    settings = config(1)
    market = as_paper_orders_meet_it(MARKET, settings)
    assert quote(market, 0) == quote(MARKET, 0)
    trade(settings, ["BUY"] * 5)
    rises = [quote(market, k).ask - quote(MARKET, k).ask for k in (5, 65, 305)]
    assert rises == sorted(rises, reverse=True)
    assert rises[0] > rises[2] > 0  # the permanent part stays for the day
    assert quote(market, 1440) == quote(MARKET, 1440)


def test_without_a_coefficient_the_market_is_as_it_was_recorded() -> None:
    assert as_paper_orders_meet_it(MARKET, config(0)) is MARKET


def test_the_same_orders_are_filled_alike_again() -> None:
    first = trade(config(1), ROUND_TRIP)
    for model in (PaperExecution, PaperOrder, PaperVolume, PaperFlow):
        model.objects.all().delete()
    assert trade(config(1), ROUND_TRIP) == first


def test_paper_orders_move_the_price_unless_that_is_switched_off() -> None:
    usual = Config(paper=Paper())
    assert usual.paper.impact.coefficient == 1
    assert fills_of(usual) == "paper fills with market impact, 1 times the square-root law"
    assert "without market impact" in fills_of(config(0))
