from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from deepstack.config import Config, Paper
from deepstack.config_market import Market, Simulated
from deepstack.config_paper import PaperImpact
from execution.broker.base import BrokerRejected, DuplicateOrder, Ticket
from execution.broker.paper_trader import PaperTrader
from execution.domain.lifecycle import SliceStatus
from execution.market.base import MarketDataUnavailable, Quote, TapeBar
from execution.market.calendar import ExchangeCalendar
from execution.market.simulated import SimulatedMarket
from execution.models import PaperExecution, PaperOrder

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)  # a Friday, 10:00 in New York
CONFIG = Config(
    market=Market(simulated=Simulated(seed=7)),
    paper=Paper(
        commission_per_share=Decimal("0.005"),
        minimum_commission=Decimal(1),
        participation=Decimal("0.1"),
        displayed_shares=500,
        impact=PaperImpact(coefficient=0),
    ),
)
MARKET = SimulatedMarket(CONFIG)
SECOND = timedelta(seconds=1)


@pytest.fixture
def paper() -> PaperTrader:
    return PaperTrader(config=CONFIG, market=MARKET)


def touch(side: str, at: datetime = NOW) -> Decimal:
    quote = MARKET.quote("AAPL", at)
    assert quote is not None
    return quote.ask if side == "BUY" else quote.bid


def ticket(
    client_order_id: str = "c1", *, side: str = "BUY", quantity: int = 200, through: str = "0.50"
) -> Ticket:
    """A limit order, `through` dollars beyond the far touch (below zero: passive)."""
    sign = 1 if side == "BUY" else -1
    limit = touch(side) + sign * Decimal(through)
    return Ticket(client_order_id, "default", "AAPL", side, quantity, limit)


def tape(start: datetime, end: datetime) -> Sequence[TapeBar]:
    return MARKET.bars("AAPL", start, end)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_small_marketable_order_fills_at_the_touch(paper: PaperTrader, side: str) -> None:
    answer = paper.place(ticket(side=side), now=NOW)

    assert (answer.status, answer.filled_quantity) == (SliceStatus.FILLED, 200)
    [execution] = answer.executions
    assert (execution.price, execution.quantity) == (touch(side), 200)
    assert execution.executed_at == NOW
    assert execution.commission == 1


def test_a_large_order_takes_the_book_and_then_works(paper: PaperTrader) -> None:
    answer = paper.place(ticket(quantity=20_000), now=NOW)

    assert answer.status == SliceStatus.WORKING
    assert 750 <= answer.filled_quantity <= 2250  # three levels of the displayed size
    assert answer.executions[0].price == touch("BUY")
    later = paper.find("c1", now=NOW + 60 * SECOND)
    assert later is not None
    worked = later.filled_quantity - answer.filled_quantity
    assert 0 < worked <= sum(bar.volume for bar in tape(NOW, NOW + 60 * SECOND)) / 10
    assert later.executions[: len(answer.executions)] == answer.executions


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_every_fill_lies_in_its_minute_and_within_the_limit(paper: PaperTrader, side: str) -> None:
    limits = {}
    for n in range(12):
        order = ticket(f"c{n}", side=side, quantity=3000, through=f"{(n - 2) / 25:.2f}")
        limits[order.client_order_id] = order.limit_price
        paper.place(order, now=NOW + n * SECOND)
    news = paper.reports("default", NOW, now=NOW + 300 * SECOND)

    fills = [execution for order in news for execution in order.executions]
    assert len(fills) > 20
    for fill in fills:
        minute = MARKET.printing("AAPL", fill.executed_at)
        assert minute is not None
        assert minute.low <= fill.price <= minute.high
        sign = 1 if side == "BUY" else -1
        assert sign * (limits[fill.client_order_id] - fill.price) >= 0


def test_what_rests_fills_only_from_bars_that_have_ended(paper: PaperTrader) -> None:
    placed = paper.place(ticket(quantity=20_000), now=NOW + SECOND)

    assert paper.find("c1", now=NOW + 9.9 * SECOND) == placed
    later = paper.find("c1", now=NOW + 10 * SECOND)
    assert later is not None
    [fill] = later.executions[len(placed.executions) :]
    assert fill.executed_at == NOW + 7.5 * SECOND


def test_a_passive_order_waits(paper: PaperTrader) -> None:
    answer = paper.place(ticket(through="-5"), now=NOW)

    assert (answer.status, answer.executions) == (SliceStatus.WORKING, ())
    [news] = paper.reports("default", NOW, now=NOW + 600 * SECOND)
    assert (news.status, news.executions) == (SliceStatus.WORKING, ())


def test_commission_is_per_order_not_per_fill(paper: PaperTrader) -> None:
    paper.place(ticket(quantity=5000), now=NOW)
    order = paper.find("c1", now=NOW + 600 * SECOND)

    assert order is not None
    assert order.status == SliceStatus.FILLED
    assert len(order.executions) > 3
    assert sum(execution.commission or 0 for execution in order.executions) == 25


def test_execution_ids_are_stable_and_unique(paper: PaperTrader) -> None:
    for n in range(3):
        paper.place(ticket(f"c{n}", quantity=4000), now=NOW)
    first = paper.reports("default", NOW, now=NOW + 60 * SECOND)
    again = paper.reports("default", NOW, now=NOW + 60 * SECOND)

    ids = [execution.execution_id for order in first for execution in order.executions]
    assert len(ids) == len(set(ids)) > 3
    assert first == again


def test_the_same_id_twice_is_one_order(paper: PaperTrader) -> None:
    paper.place(ticket(), now=NOW)
    with pytest.raises(DuplicateOrder):
        paper.place(ticket(quantity=999), now=NOW + SECOND)

    assert PaperOrder.objects.get().quantity == 200
    assert PaperExecution.objects.count() == 1


def test_news_tells_what_changed_since(paper: PaperTrader) -> None:
    paper.place(ticket("filled"), now=NOW)
    paper.place(ticket("passive", through="-5"), now=NOW + 10 * SECOND)
    paper.place(ticket("elsewhere"), now=NOW + 10 * SECOND)
    PaperOrder.objects.filter(client_order_id="elsewhere").update(account="other")

    def names(since: datetime) -> list[str]:
        news = paper.reports("default", since, now=NOW + 60 * SECOND)
        return [order.client_order_id for order in news]

    assert names(NOW) == ["filled", "passive"]
    assert names(NOW + 5 * SECOND) == ["passive"]
    paper.cancel("passive", now=NOW + 30 * SECOND)
    assert names(NOW + 20 * SECOND) == ["passive"]


def test_unknown_ids(paper: PaperTrader) -> None:
    assert paper.find("nobody", now=NOW) is None
    with pytest.raises(BrokerRejected) as refused:
        paper.cancel("nobody", now=NOW)
    assert refused.value.code == "UNKNOWN_ORDER"


def test_a_cancel_ends_the_rest_and_keeps_what_was_traded(paper: PaperTrader) -> None:
    placed = paper.place(ticket(quantity=20_000), now=NOW)
    paper.cancel("c1", now=NOW + 30 * SECOND)
    cancelled = paper.find("c1", now=NOW + 30 * SECOND)
    paper.cancel("c1", now=NOW + 40 * SECOND)
    later = paper.find("c1", now=NOW + 600 * SECOND)

    assert cancelled is not None
    assert cancelled.status == SliceStatus.CANCELLED
    assert placed.filled_quantity < cancelled.filled_quantity < 20_000
    assert later == cancelled


def test_a_filled_order_cannot_be_cancelled(paper: PaperTrader) -> None:
    paper.place(ticket(), now=NOW)
    paper.cancel("c1", now=NOW + SECOND)

    order = paper.find("c1", now=NOW + SECOND)
    assert order is not None
    assert (order.status, order.filled_quantity) == (SliceStatus.FILLED, 200)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"side": "HOLD"}, "side = 'HOLD'"),
        ({"quantity": 0}, "quantity = 0"),
        ({"quantity": -5}, "quantity = -5"),
        ({"limit_price": Decimal(0)}, "limit_price = 0"),
        ({"limit_price": Decimal("NaN")}, "limit_price = NaN"),
        ({"limit_price": Decimal("150.005")}, "limit_price = 150.005: a multiple of 0.01"),
        ({"limit_price": Decimal("0.50005")}, "limit_price = 0.50005: a multiple of 0.0001"),
    ],
)
def test_a_wrong_order_is_refused_for_good(
    paper: PaperTrader, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(BrokerRejected, match=text) as refused:
        paper.place(replace(ticket(), **changes), now=NOW)

    assert (refused.value.code, refused.value.transient) == ("INVALID_ORDER", False)
    assert not PaperOrder.objects.exists()


class ExchangeHours(SimulatedMarket):
    """The seeded market in New York's hours; nobody quotes NONE, and AWAY cannot be asked."""

    def __init__(self) -> None:
        super().__init__(CONFIG)
        calendar = ExchangeCalendar()
        self.session = calendar.session  # type: ignore[method-assign]
        self.next_session = calendar.next_session  # type: ignore[method-assign]

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        if symbol == "AWAY":
            raise MarketDataUnavailable("the feed is down")
        return None if symbol == "NONE" else super().quote(symbol, at)

    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        if symbol == "AWAY":
            raise MarketDataUnavailable("the feed is down")
        return super().bars(symbol, start, end)


@pytest.mark.parametrize(
    ("symbol", "extended", "hour", "code"),
    [
        ("NONE", False, 15, "NO_MARKET"),
        ("AWAY", False, 15, "NO_MARKET"),
        ("AAPL", False, 14, "MARKET_CLOSED"),  # 09:00 in New York
        ("AAPL", False, 21, "MARKET_CLOSED"),
        ("AAPL", True, 8, "MARKET_CLOSED"),  # 03:00 in New York
    ],
)
def test_no_market_now_is_a_passing_refusal(
    symbol: str, extended: bool, hour: int, code: str
) -> None:
    paper = PaperTrader(config=CONFIG, market=ExchangeHours())
    order = replace(ticket(), symbol=symbol, extended_hours=extended)
    with pytest.raises(BrokerRejected) as refused:
        paper.place(order, now=NOW.replace(hour=hour))

    assert (refused.value.code, refused.value.transient) == (code, True)


def test_after_hours_an_order_must_say_so() -> None:
    paper = PaperTrader(config=CONFIG, market=ExchangeHours())
    late = replace(ticket(), extended_hours=True)

    assert paper.place(late, now=NOW.replace(hour=21)).status == SliceStatus.WORKING


def test_a_refusal_never_hides_an_order_that_arrived() -> None:
    paper = PaperTrader(config=CONFIG, market=ExchangeHours())
    paper.place(ticket(), now=NOW)

    with pytest.raises(DuplicateOrder):
        paper.place(ticket(), now=NOW.replace(hour=23))


def test_one_silent_feed_does_not_stop_the_others() -> None:
    paper = PaperTrader(config=CONFIG, market=ExchangeHours())
    paper.place(ticket("c1", quantity=20_000), now=NOW)
    paper.place(ticket("c2", quantity=20_000), now=NOW)
    PaperOrder.objects.filter(client_order_id="c1").update(symbol="AWAY")
    before = PaperOrder.objects.get(client_order_id="c2").filled_quantity

    silent, other = paper.reports("default", NOW, now=NOW + 60 * SECOND)
    assert silent.status == SliceStatus.WORKING
    assert other.filled_quantity > before


def test_an_order_is_good_for_the_day() -> None:
    paper = PaperTrader(config=CONFIG, market=ExchangeHours())
    paper.place(ticket("regular", through="-5"), now=NOW)
    paper.place(replace(ticket("extended", through="-5"), extended_hours=True), now=NOW)

    def states(at: datetime) -> list[SliceStatus]:
        return [order.status for order in paper.reports("default", NOW, now=at)]

    assert states(NOW.replace(hour=20, minute=59)) == [SliceStatus.WORKING] * 2
    assert states(NOW.replace(hour=21)) == [SliceStatus.EXPIRED, SliceStatus.WORKING]
    assert states(NOW + timedelta(days=1)) == [SliceStatus.EXPIRED] * 2


def in_threads(*calls: Callable[[], object]) -> list[object]:
    """What the calls answered or raised, all started at the same moment."""
    together = Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            together.wait(timeout=10)
            return call()
        except Exception as error:  # noqa: BLE001 - the caller judges it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_matchers_at_the_same_time_use_the_tape_once(paper: PaperTrader) -> None:
    paper.place(ticket("c1", quantity=50_000), now=NOW)
    paper.place(ticket("c2", quantity=50_000), now=NOW)
    at_once = sum(PaperOrder.objects.values_list("filled_quantity", flat=True))
    for seconds in range(5, 65, 5):
        now = NOW + seconds * SECOND
        answers = in_threads(*[partial(paper.reports, "default", NOW, now=now)] * 4)
        assert not [answer for answer in answers if isinstance(answer, Exception)]

    orders = list(PaperOrder.objects.prefetch_related("executions"))
    worked = sum(order.filled_quantity for order in orders) - at_once
    volume = sum(bar.volume for bar in tape(NOW, NOW + 60 * SECOND))
    assert volume / 10 - 24 <= worked <= volume / 10  # a fraction of a share lost in each step
    for order in orders:
        booked = sum(execution.quantity for execution in order.executions.all())
        assert booked == order.filled_quantity <= order.quantity


@pytest.mark.django_db(transaction=True)
def test_matching_never_overfills_while_cancels_and_look_ups_run(paper: PaperTrader) -> None:
    paper.place(ticket(quantity=2500), now=NOW)
    for seconds in range(5, 65, 5):
        now = NOW + seconds * SECOND
        in_threads(
            partial(paper.reports, "default", NOW, now=now),
            partial(paper.find, "c1", now=now),
            partial(paper.cancel if seconds >= 30 else paper.find, "c1", now=now),
        )

    order = PaperOrder.objects.get()
    assert order.status in (SliceStatus.FILLED, SliceStatus.CANCELLED)
    booked = sum(order.executions.values_list("quantity", flat=True))
    assert booked == order.filled_quantity <= 2500


@pytest.mark.django_db(transaction=True)
def test_one_id_placed_by_many_at_once_is_one_order(paper: PaperTrader) -> None:
    answers = in_threads(*[lambda: paper.place(ticket(), now=NOW)] * 8)

    assert sorted(type(answer).__name__ for answer in answers) == (
        ["BrokerOrder"] + ["DuplicateOrder"] * 7
    )
    assert PaperOrder.objects.get().filled_quantity == 200
    assert PaperExecution.objects.count() == 1


def test_the_paper_broker_keeps_out_of_our_transactions(paper: PaperTrader) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        paper.place(ticket(), now=NOW)

    assert not PaperOrder.objects.exists()
