"""What the account held before we came counts in every limit on a position."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from django.utils import timezone

from execution import context as contexts
from execution.broker.ibkr.adapter import InteractiveBrokers
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.lifecycle import SliceStatus
from execution.entry import acceptance
from execution.models import BrokerAccount, Order, Slice
from execution.risk import exposure, kill_switch, limits, marks, positions
from execution.risk.checked_order import CheckedOrder
from execution.risk.portfolio_heat import heat
from tests.integration.order_steps import claim, execution, new_order, receive, report

pytestmark = pytest.mark.django_db


def account(held: dict[str, int], *, compared: bool = True) -> BrokerAccount:
    return BrokerAccount.objects.create(
        broker="paper",
        account="default",
        positions_beside=held,
        accepted_at_real=timezone.now() if compared else None,
    )


def ordered(side: str, quantity: int, context: Context | None = None) -> Order:
    signal = {"symbol": "AAPL", "side": side, "quantity": quantity, "algorithm": "TWAP"}
    return acceptance.accept(signal | {"slices": 1}, context or contexts.default())


def first(order: Order) -> Slice:
    return order.slices.order_by("sequence")[0]


def live() -> Context:
    """A context that trades live with a broker whose accounts can be compared."""
    usual = contexts.default()
    return replace(usual, config=usual.config.model_copy(update={"trading_mode": "live"}))


def filled(quantity: int) -> None:
    order = new_order(quantity, parts=1)
    intent = claim(first(order))
    assert intent is not None
    receive(intent, report(intent, SliceStatus.FILLED, [execution(intent, "0", quantity)]))


def test_a_position_is_what_was_there_before_and_our_fills() -> None:
    account({"AAPL": 900, "TSLA": -70})
    filled(200)
    known = positions.held("default", contexts.default())
    assert known == {"AAPL": 1_100, "TSLA": -70}
    assert positions.held("default", contexts.default(), symbol="TSLA") == {"TSLA": -70}
    assert positions.held("another", contexts.default(), symbol="TSLA") == {"TSLA": 0}


def test_paper_fills_of_an_account_of_the_same_name_are_no_position_of_the_live_one() -> None:
    filled(900)  # on paper, before trading went live
    usual = contexts.default()
    broker = OrderManager(config=usual.config, paper_trader=InteractiveBrokers(usual.config))
    at_ibkr = replace(live(), broker=broker)
    BrokerAccount.objects.create(
        broker="ibkr",
        account="default",
        positions_beside={"TSLA": 5},
        accepted_at_real=timezone.now(),
    )
    assert positions.held("default", at_ibkr) == {"TSLA": 5}
    assert positions.held("default", at_ibkr, symbol="AAPL") == {"AAPL": 0}
    part = first(new_order(300, parts=1))
    intent = claim(part)
    assert intent is not None
    receive(intent, report(intent, SliceStatus.FILLED, [execution(intent, "0", 300)]))
    part.fills.update(broker="ibkr")
    assert positions.held("default", at_ibkr, symbol="AAPL") == {"AAPL": 300}
    assert positions.held("default", at_ibkr) == {"AAPL": 300, "TSLA": 5}
    assert positions.held("default", usual, symbol="AAPL") == {"AAPL": 900}
    at = CheckedOrder(part.order, 100, marks.Marks({"AAPL": D(151)}), usual.now())
    assert exposure.day_result(at, at_ibkr) == D("299.99")  # 300 x $1 less the commission
    assert exposure.day_result(at, usual) == D("899.99")


def test_the_largest_position_counts_what_was_held_before() -> None:
    account({"AAPL": 900})
    limits.set_limit(scope="SYSTEM", key="", field="max_position", value=1_000, by="ann")
    refused = ordered("BUY", 101)
    assert refused.status == "DENIED"
    assert "POSITION_EXCEEDS_MAX" in refused.status_reason
    assert refused.routing["denial"]["numbers"]["position"] == 900
    assert ordered("BUY", 100).status == "ACCEPTED"


def test_a_short_position_from_before_counts_the_other_way() -> None:
    account({"AAPL": -900})
    limits.set_limit(scope="SYSTEM", key="", field="max_position", value=1_000, by="ann")
    assert ordered("SELL", 101).status == "DENIED"
    assert ordered("BUY", 1_900).status == "ACCEPTED"


def test_reducing_sells_what_was_held_before_and_no_more() -> None:
    account({"AAPL": 500})
    kill_switch.set_state(scope="SYMBOL", key="AAPL", state="REDUCING", by="ann", reason="news")
    assert ordered("SELL", 501).status == "DENIED"
    order = ordered("SELL", 500)
    assert order.status == "ACCEPTED"
    assert claim(first(order)) is not None


def test_heat_counts_what_was_held_before() -> None:
    account({"TSLA": 100})
    order = new_order(100, parts=1)
    prices, volatility = {"AAPL": D(150), "TSLA": D(200)}, {"AAPL": 0.02, "TSLA": 0.05}
    at = CheckedOrder(order, 100, marks.Marks(prices, volatility), contexts.default().now())
    found = heat(at, D(100_000), 0, contexts.default())
    assert found is not None
    assert found.before == D("0.01")  # 100 TSLA x $200 x 5 % of $100,000


def test_before_the_first_comparison_an_order_waits_for_it_instead_of_passing_its_limit() -> None:
    limits.set_limit(scope="SYSTEM", key="", field="max_position", value=1_000, by="ann")
    row = account({}, compared=False)
    order = ordered("BUY", 101, live())
    assert order.status == "ACCEPTED"
    at = CheckedOrder(order, 101, marks.NO_MARKS, live().now())
    assert exposure.position(at, live()) == (None, 0)
    row.positions_beside, row.accepted_at_real = {"AAPL": 900}, timezone.now()
    row.save()
    assert exposure.position(at, live()) == (900, 0)
    assert ordered("BUY", 101, live()).status == "DENIED"


def test_before_the_first_comparison_reducing_waits_as_well() -> None:
    kill_switch.set_state(scope="SYMBOL", key="AAPL", state="REDUCING", by="ann", reason="news")
    assert ordered("SELL", 100, live()).status == "ACCEPTED"
    assert ordered("SELL", 100).status == "DENIED"
