"""A trading halt holds orders back while it lasts, and they are caught up smoothly afterwards."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deepstack.config import Config, Scheduling
from deepstack.config_market import Market, Replay
from execution.broker.base import Ticket
from execution.broker.paper_trader import PaperTrader
from execution.context import Context
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import SliceStatus
from execution.entry.preview import preview
from execution.market import open_market
from execution.market.replay import ReplayMarket
from execution.market.trading_halts import Span, TradingHalts
from execution.models import MarketHalt
from tests.integration.admin.test_limits_admin import client_of
from tests.integration.thin_market import STEP, Trial, at_minute, context_at, order_of, trade
from tests.stack import wait_for

pytestmark = pytest.mark.django_db

HALT, HALT_OVER = 48, 63  # minutes of the session; slices are due at 30, 36, 42 ...
PAGE = "/admin/execution/markethalt/"


def halted_context(minute: float, until: float | None = HALT_OVER) -> Context:
    """Bars of GWW all day, which are not to be believed while it is halted."""
    trade([900.0] * 390)
    end = None if until is None else at_minute(until)
    halts = TradingHalts(lambda: {"GWW": [Span(at_minute(HALT), end, "news pending")]})
    context = context_at(
        at_minute(minute), scheduling=Scheduling(defer_seconds=STEP.total_seconds())
    )
    return replace(context, market=ReplayMarket(context.config, halts))


def test_nothing_leaves_in_a_halt_and_the_rest_of_the_plan_catches_up() -> None:
    context = halted_context(30)
    trial = Trial(order_of(context), context)
    order = trial.run()
    minutes, shares = zip(*trial.sent, strict=True)

    assert (order.status, order.filled_quantity) == ("FILLED", 1_000)
    assert minutes[:3] == (30, 36, 42)
    assert shares[:3] == (100, 100, 100)
    assert HALT_OVER <= minutes[3] < HALT_OVER + 1
    assert 100 < max(shares[3:]) <= 140  # 200 shares behind, five slices left
    held = order.slices.get(sequence=3)
    assert held.status == SliceStatus.SKIPPED
    since = exchange_time(at_minute(HALT))
    assert held.reason == f"SYMBOL_HALTED: since={since}, reason=news pending"
    assert (
        order.events.filter(kind="SLICE_DEFERRED", data__reason=held.reason, slice=held).count()
        == 1
    )


def test_a_halt_that_outlasts_the_window_leaves_the_rest_undone() -> None:
    context = halted_context(30, until=None)
    order = Trial(order_of(context), context).run()

    assert (order.status, order.filled_quantity) == ("EXPIRED", 300)
    assert order.status_reason == (
        "700 of 1,000 not executed: held back as the exchange has halted trading in the symbol"
        " (SYMBOL_HALTED)"
    )


def test_a_market_order_waits_for_the_end_of_the_halt_and_says_so() -> None:
    context = halted_context(HALT + 2)
    trial = Trial(order_of(context, algorithm="MARKET"), context)
    told = {"since": at_minute(HALT).isoformat(), "reason": "news pending"}
    assert trial.order.routing["halted"] == told
    order = trial.run()

    assert (order.status, order.filled_quantity) == ("FILLED", 1_000)
    [(minute, shares)] = trial.sent
    assert HALT_OVER <= minute < HALT_OVER + 1
    assert shares == 1_000


@pytest.mark.parametrize(("minute", "halted"), [(HALT - 1, False), (HALT + 2, True)])
def test_a_preview_tells_a_halt_and_denies_nothing(minute: float, halted: bool) -> None:
    signal = {"symbol": "GWW", "side": "BUY", "quantity": 100, "algorithm": "TWAP"}
    seen = preview(signal, halted_context(minute))
    assert (seen["status"], bool(seen["halted"])) == ("ACCEPTED", halted)


def test_bars_in_a_halt_are_no_prices_and_no_volume() -> None:
    context = halted_context(HALT)
    quote = context.market.quote("GWW", at_minute(HALT + 10))
    assert quote is not None
    assert quote.halt is not None
    bars = context.market.bars("GWW", at_minute(HALT - 2), at_minute(HALT_OVER + 2))
    assert [(bar.start - at_minute(0)).seconds // 60 for bar in bars] == [46, 47, 63, 64]


def test_a_quote_in_a_halt_is_as_old_as_the_last_trade() -> None:
    trade([900.0] * 390)
    config = Config(market=Market(replay=Replay(quote_grace_seconds=60)))
    market = ReplayMarket(config, TradingHalts(lambda: {"GWW": [Span(at_minute(HALT))]}))
    quote = market.quote("GWW", at_minute(HALT + 10))
    assert quote is not None
    assert quote.at == at_minute(HALT + 1)


@pytest.mark.parametrize("minute", [HALT - 1.5, HALT + 2], ids=["resting", "arrives in the halt"])
def test_the_paper_exchange_takes_an_order_and_fills_nothing_in_a_halt(minute: float) -> None:
    context = halted_context(minute)
    paper = PaperTrader(config=context.config, market=context.market)
    ticket = Ticket("c1", "default", "GWW", "BUY", 2_000, Decimal("900.50"))
    placed = paper.place(ticket, now=at_minute(minute))
    assert bool(placed.executions) == (minute < HALT)
    at_halt = paper.find("c1", now=at_minute(HALT))
    in_halt = paper.find("c1", now=at_minute(HALT_OVER))
    after = paper.find("c1", now=at_minute(HALT_OVER + 1))

    assert at_halt is not None
    assert in_halt is not None
    assert after is not None
    assert (in_halt.status, in_halt.filled_quantity) == ("WORKING", at_halt.filled_quantity)
    assert after.filled_quantity > in_halt.filled_quantity
    assert not any(
        at_minute(HALT) <= each.executed_at < at_minute(HALT_OVER) for each in after.executions
    )


def test_a_stored_halt_is_noticed_within_moments_and_costs_no_query_for_each_quote() -> None:
    market, now = open_market(Config()), timezone.now()
    quote = market.quote("ZZZ", now)
    assert quote is not None
    assert quote.halt is None
    MarketHalt.objects.create(symbol="ZZZ", start_at=now - timedelta(minutes=1), reason="news")

    def is_halted() -> bool:
        seen = market.quote("ZZZ", now)
        return seen is not None and seen.halt is not None

    wait_for(is_halted, 5, "the halt to be noticed")
    with CaptureQueriesContext(connection) as captured:
        assert all(is_halted() for _ in range(100))
    assert len(captured) <= 1


def test_a_halt_does_not_end_before_it_begins() -> None:
    now = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        MarketHalt.objects.create(symbol="AAPL", start_at=now, end_at=now, reason="news")


@pytest.mark.parametrize(
    ("role", "symbol", "code", "stored"),
    [
        ("Risk", "AAPL", 302, 1),
        ("Risk", "*", 302, 1),
        ("Risk", "aapl!", 200, 0),
        ("Trader", "AAPL", 403, 0),
        ("Viewer", "AAPL", 403, 0),
    ],
)
def test_risk_enters_a_halt_and_ends_it(role: str, symbol: str, code: int, stored: int) -> None:
    client = client_of(role)
    halt = {"symbol": symbol, "start_at_0": "2026-11-20", "start_at_1": "15:00", "reason": "news"}
    assert client.post(f"{PAGE}add/", halt).status_code == code
    assert MarketHalt.objects.count() == stored
    for row in MarketHalt.objects.all():
        end = {"end_at_0": "2026-11-20", "end_at_1": "15:05"}
        assert client.post(f"{PAGE}{row.pk}/change/", halt | end).status_code == 302
        row.refresh_from_db()
        assert row.end_at == row.start_at + timedelta(minutes=5)
