"""The heat of a wide book: the same number for each order, and the positions read once for all."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from execution import context as contexts
from execution.context import Context
from execution.entry import acceptance
from execution.models import Order, Position
from execution.risk import limits, marks
from execution.risk.checked_order import Book, CheckedOrder
from execution.risk.marks import Marks
from execution.risk.portfolio_heat import heat
from execution.sending import slices
from execution.sending.slices import Due, Intent
from execution.sending.targeting import Tape
from tests.integration.order_steps import quote_at

pytestmark = pytest.mark.django_db

EQUITY = D(1_000_000)
PRICES = {"AAPL": D(150), "MSFT": D(300), "TSLA": D(200)}
VOLATILITY = {"AAPL": 0.02, "MSFT": 0.01, "TSLA": 0.05}
HELD = {"MSFT": 100, "TSLA": -50}  # 300 and 500 dollars of heat


def hot(
    symbol: str, quantity: int, known: Marks, held: dict[str, int] = HELD, **more: object
) -> tuple[D, D] | None:
    """In dollars, before and after buying."""
    order = Order(account="default", symbol=symbol, side="BUY")
    context = contexts.default()
    checked = CheckedOrder(order, quantity, known, context.now(), book=Book(held=held))
    found = heat(replace(checked, **more), EQUITY, 0, context)  # type: ignore[arg-type]
    return None if found is None else (found.before * EQUITY, found.after * EQUITY)


def test_each_order_of_a_list_counts_its_own_symbol_and_all_others() -> None:
    known = Marks(PRICES, VOLATILITY)
    assert hot("AAPL", 100, known) == (800, 1_100)
    assert hot("MSFT", 100, known) == (800, 1_100)
    assert hot("TSLA", 50, known) == (800, 300)  # bought back
    assert hot("TSLA", 150, known) == (800, 1_300)
    assert hot("TSLA", 150, known, price=D(220)) == (800, 1_400)  # long then, at a worse price
    assert hot("TSLA", 60, known, price=D(220)) == (800, 400)  # smaller then, at the mark
    assert hot("AAPL", 100, known, {**HELD, "AAPL": 100}) == (1_100, 1_400)


def test_what_the_market_says_anew_counts_from_then_on() -> None:
    known = Marks(PRICES, VOLATILITY)
    assert hot("AAPL", 100, known) == (800, 1_100)
    dearer = Marks({**PRICES, "TSLA": D(400)}, VOLATILITY)
    assert hot("AAPL", 100, dearer) == (1_300, 1_600)
    assert hot("AAPL", 100, known) == (800, 1_100)


@pytest.mark.parametrize("silent", ["AAPL", "TSLA"])
def test_a_symbol_of_which_the_market_says_nothing_makes_it_unknown(silent: str) -> None:
    prices = {symbol: price for symbol, price in PRICES.items() if symbol != silent}
    assert hot("AAPL", 100, Marks(prices, VOLATILITY)) is None
    volatility = {symbol: each for symbol, each in VOLATILITY.items() if symbol != silent}
    assert hot("AAPL", 100, Marks(PRICES, volatility)) is None


def test_who_closes_the_position_that_has_no_price_is_still_unknown() -> None:
    known = Marks({"MSFT": D(300)}, {"MSFT": 0.01})
    assert hot("TSLA", 50, known) is None
    assert hot("TSLA", 50, known, {"MSFT": 100, "TSLA": 0}) is None
    assert hot("MSFT", 100, known, {"MSFT": 100, "TSLA": 0}) == (300, 600)


def test_a_position_that_came_since_the_marks_counts_from_the_next_check_on() -> None:
    known = Marks(PRICES, VOLATILITY, symbols=frozenset({"MSFT"}))
    assert hot("MSFT", 100, known) == (300, 600)
    assert hot("TSLA", 50, known) == (300, 800)


@pytest.fixture
def wide() -> Context:
    """Ten positions and a limit on heat that nothing reaches."""
    Position.objects.bulk_create(
        Position(broker="paper", account="default", symbol=f"H{number}", shares=100)
        for number in range(10)
    )
    limits.set_limit(scope="SYSTEM", key="", field="max_portfolio_heat", value=1, by="ann")
    given = contexts.default()
    bounds = given.config.limits.model_copy(update={"account_equity": D(10**9)})
    config = given.config.model_copy(update={"limits": bounds})
    return replace(given, config=config)


def reads_of_the_book(seen: CaptureQueriesContext) -> int:
    """Statements that read the positions of the account in all symbols."""
    texts = [each["sql"] for each in seen.captured_queries]
    of_book = [each for each in texts if 'FROM "execution_position"' in each]
    return len([each for each in of_book if '"symbol" = ' not in each])


def test_a_list_of_orders_reads_the_positions_once(wide: Context) -> None:
    signal = {"side": "BUY", "quantity": 10, "algorithm": "MARKET"}
    with CaptureQueriesContext(connection) as seen:
        orders = acceptance.accept_all(
            [signal | {"symbol": f"H{number}"} for number in range(10)], wide
        )
    assert {order.status for order in orders} == {"ACCEPTED"}
    assert reads_of_the_book(seen) == 2  # for their marks, and for the checks


def test_a_set_of_slices_reads_the_positions_once(wide: Context) -> None:
    signal = {"side": "BUY", "quantity": 1_000, "algorithm": "TWAP", "slices": 5}
    orders = acceptance.accept_all([signal | {"symbol": symbol} for symbol in PRICES], wide)
    parts = [order.slices.select_related("order").get(sequence=0) for order in orders]
    needed = marks.Needed(loss=False, heat=True)
    dues = [
        Due(part, quote_at(part.due_at), Tape(marks=known), wide, part.due_at)
        for part in parts
        for known in [
            marks.read("default", part.order.symbol, wide, needed=needed, now=part.due_at)
        ]
    ]
    with CaptureQueriesContext(connection) as seen:
        intents = slices.claim_together(dues)
    assert [type(each) for each in intents] == [Intent] * 3
    assert reads_of_the_book(seen) == 1
