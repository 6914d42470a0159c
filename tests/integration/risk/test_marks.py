"""What an account holds is worth what the market says: its loss and its heat while others trade."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from typing_extensions import override

from execution import context as contexts
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.exchange_time import exchange_midnight
from execution.domain.lifecycle import SliceStatus
from execution.entry import acceptance
from execution.market.base import Quote, TapeBar
from execution.market.simulated import SimulatedMarket
from execution.models import DayTrade, Order
from execution.risk import buying_power, limits, marks
from execution.risk.checked_order import CheckedOrder
from execution.risk.exposure import day_result
from execution.risk.marks import Marks
from execution.risk.portfolio_heat import heat
from execution.sending import slices, targeting
from tests.integration.monitoring.rows import NOON
from tests.integration.order_steps import execution, new_order, receive, report
from tests.integration.risk.priced import Silent, on, quote_of, told, tried, with_limits
from tests.integration.risk.test_account_limits import Poor

pytestmark = pytest.mark.django_db


def test_orders_of_one_list_share_the_buying_power() -> None:
    poor = with_limits(within_buying_power=True)
    context = replace(poor, broker=OrderManager(poor.config, Poor(poor.config)))  # $3,000
    buying_power.forget()
    buy = {"symbol": "AAPL", "side": "BUY", "quantity": 12, "algorithm": "TWAP", "slices": 1}
    batch = [buy, buy, buy | {"side": "SELL"}, buy | {"account": "other"}]
    found = [told(order) for order in acceptance.accept_all(batch, context)]
    buying_power.forget()
    assert found == ["ACCEPTED", "DENIED BUYING_POWER", "ACCEPTED", "ACCEPTED"]


# Races


def bought(symbol: str, quantity: int = 100, **more: Any) -> Order:
    order = new_order(quantity, 1, symbol=symbol, **more)
    part, context = order.slices.get(), contexts.default()
    now = part.due_at
    tape = targeting.read_tape(part, context, now=now)
    intent = slices.claim(part, quote_of(symbol, now), context, now=now, tape=tape)
    assert intent is not None
    receive(intent, report(intent, SliceStatus.WORKING))
    receive(intent, report(intent, SliceStatus.FILLED, [execution(intent, "1", quantity)]))
    return order


def test_a_symbol_first_traded_after_the_marks_were_read_is_no_unknown_loss() -> None:
    context, order = contexts.default(), new_order()
    now = context.now()
    before = marks.read("default", "AAPL", context, needed=marks.Needed(True, False), now=now)
    bought("IBM")  # at 150, while the first order's checks go on
    result = day_result(CheckedOrder(order, 100, before, now), context)
    assert result == D("-0.01")  # the commission: what was just bought is worth what it cost
    missing = replace(before, symbols=frozenset({"IBM"}))
    assert (
        day_result(CheckedOrder(order, 100, missing, now), context) is None
    )  # asked about, and no answer


class Busy(SimulatedMarket):
    """A market in which another order's execution is booked whenever it is asked about the symbol
    N: between the look at the market and the check."""

    booking = False

    @override
    def quote(self, symbol: str, at: datetime) -> Quote | None:
        if symbol == "N" and not self.booking:
            self.booking = True
            bought(f"N{Order.objects.count()}", 1)
            self.booking = False
        return super().quote(symbol, at)


def test_orders_for_new_symbols_one_after_another_all_pass_the_loss_limit() -> None:
    bought("N", 1)
    limits.set_limit(scope="SYSTEM", key="", field="max_daily_loss", value=50_000, by="ann")
    context = on(Busy)
    for number in range(5):
        signal = {"symbol": f"M{number}", "side": "BUY", "quantity": 10, "algorithm": "MARKET"}
        marks.forget()
        traded = Order.objects.filter(filled_quantity__gt=0).count()
        order = acceptance.accept(signal, context)
        assert Order.objects.filter(filled_quantity__gt=0).count() > traded
        assert order.status == "ACCEPTED"
        assert "waits_for" not in order.routing
        assert tried(order, context) == "SENDING"


class Counting(SimulatedMarket):
    """How often it was asked about each symbol; about those in `silent` it says nothing."""

    asked = Counter[str]()
    silent = frozenset[str]()

    @override
    def quote(self, symbol: str, at: datetime) -> Quote | None:
        self.asked[symbol] += 1
        return None if symbol in self.silent else super().quote(symbol, at)


@pytest.fixture
def counting(at_noon: None) -> Iterator[Context]:
    Counting.asked, Counting.silent = Counter(), frozenset()
    yield on(Counting)
    Counting.silent = frozenset()


def read(context: Context, seconds: float, *, heat: bool = False) -> Marks:
    needed = marks.Needed(loss=True, heat=heat)
    return marks.read(
        "default", "MSFT", context, needed=needed, now=NOON + timedelta(seconds=seconds)
    )


def test_the_market_is_asked_about_the_account_once_a_second(counting: Context) -> None:
    bought("AAPL")
    first = read(counting, 0)
    assert read(counting, 0.9).prices is first.prices
    assert Counting.asked == {"AAPL": 1}
    assert set(read(counting, 1).prices) == {"AAPL"}
    assert Counting.asked == {"AAPL": 2}


def test_a_wide_book_is_asked_about_more_seldom(counting: Context) -> None:
    day = {"broker": "paper", "account": "default", "midnight": exchange_midnight(NOON)}
    DayTrade.objects.bulk_create(
        DayTrade(**day, symbol=f"W{number}", side="BUY", shares=1, money=D(1), fees=D(0))
        for number in range(600)
    )
    read(counting, 0)
    read(counting, 1.19)
    assert Counting.asked["W599"] == 1
    read(counting, 1.2)
    assert Counting.asked["W599"] == 2


def test_what_the_market_did_not_answer_is_asked_again_sooner(counting: Context) -> None:
    bought("AAPL")
    bought("IBM")
    Counting.silent = frozenset({"IBM"})
    assert set(read(counting, 0).prices) == {"AAPL"}
    Counting.silent = frozenset()
    assert set(read(counting, 0.2).prices) == {"AAPL"}
    assert set(read(counting, 0.25).prices) == {"AAPL", "IBM"}


def test_marks_of_a_moment_before_are_not_taken(counting: Context) -> None:
    bought("AAPL")
    read(counting, 0)
    read(counting, -1)
    assert Counting.asked == {"AAPL": 2}


def test_a_symbol_that_is_new_is_asked_about_beside_the_marks_that_are_kept(
    counting: Context,
) -> None:
    bought("AAPL")
    for seconds in (0, 0.5):
        hot = read(counting, seconds, heat=True)
        assert set(hot.prices) == set(hot.volatility) == {"AAPL", "MSFT"}
        assert hot.read_before("MSFT")
    assert Counting.asked == {"AAPL": 1, "MSFT": 2}


class Thin(SimulatedMarket):
    """Nobody trades in the last two minutes of a session."""

    @override
    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        return super().bars(symbol, start, end - timedelta(minutes=2))


def test_the_volatility_of_a_stock_without_trades_near_the_close() -> None:
    context, midnight = contexts.default(), exchange_midnight(NOON)
    usual = marks.daily_volatility("AAPL", context.market, midnight)
    thin = marks.daily_volatility("AAPL", Thin(context.config), midnight)
    assert thin == pytest.approx(usual, rel=0.1)
    assert thin != usual


def test_a_list_of_orders_asks_about_the_account_once(counting: Context) -> None:
    bought("N")
    limits.set_limit(scope="SYSTEM", key="", field="max_daily_loss", value=50_000, by="ann")
    signal = {"side": "BUY", "quantity": 10, "algorithm": "MARKET"}
    with CaptureQueriesContext(connection) as seen:
        orders = acceptance.accept_all(
            [signal | {"symbol": f"M{number}"} for number in range(20)], counting
        )
    assert {order.status for order in orders} == {"ACCEPTED"}
    assert Counting.asked["N"] == 1
    asked = [each["sql"] for each in seen.captured_queries if "daytrade" in each["sql"]]
    assert len(asked) == 2  # for its symbols, and for what was traded in each


def test_the_result_of_the_day_follows_trades_and_marks() -> None:
    order = bought("AAPL")
    context, at = contexts.default(), contexts.default().now()

    def result(price: int) -> D | None:
        return day_result(CheckedOrder(order, 1, Marks({"AAPL": D(price)}), at), context)

    assert (result(150), result(151), result(150)) == (D("-0.01"), D("99.99"), D("-0.01"))
    kept = Marks({"AAPL": D(150)})
    before = day_result(CheckedOrder(order, 1, kept, at), context)
    bought("AAPL", 200)
    after = day_result(CheckedOrder(order, 1, kept, at), context)
    assert (before, after) == (D("-0.01"), D("-0.02"))


def test_a_mark_that_is_missing_makes_an_order_wait_and_its_child() -> None:
    bought("AAPL")
    limits.set_limit(scope="SYSTEM", key="", field="max_daily_loss", value=50_000, by="ann")
    order = acceptance.accept(
        {"symbol": "MSFT", "side": "BUY", "quantity": 10, "algorithm": "MARKET"}, on(Silent)
    )
    assert order.status == "ACCEPTED"
    assert any(text.startswith("DAILY_LOSS_UNKNOWN") for text in order.routing["waits_for"])
    part = order.slices.get()
    slices.claim(
        part,
        quote_of("MSFT", part.due_at),
        contexts.default(),
        now=part.due_at,
        tape=targeting.Tape(marks=Marks(symbols=frozenset({"AAPL"}))),
    )
    part.refresh_from_db()
    assert (part.status, part.reason.split(":")[0]) == ("PLANNED", "DAILY_LOSS_UNKNOWN")
    assert tried(order) == "SENDING"


def test_the_heat_counts_an_order_at_its_worst_price() -> None:
    order = new_order()
    known = Marks({"AAPL": D(150)}, {"AAPL": 0.02})
    at = CheckedOrder(order, 200, known, contexts.default().now())
    context = contexts.default()
    plain = heat(at, D(100_000), 0, context)
    dear = heat(replace(at, price=D(165)), D(100_000), 0, context)
    assert plain is not None
    assert dear is not None
    assert (plain.after, dear.after) == (D("0.006"), D("0.0066"))
