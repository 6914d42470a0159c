"""Limits on an account as a whole: the day's loss, buying power, heat."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from execution import context as contexts
from execution.broker.base import AccountState, BrokerUnavailable
from execution.broker.order_manager import OrderManager
from execution.broker.paper_trader import PaperTrader
from execution.models import Fill, Order
from execution.risk import buying_power, marks
from execution.risk.checked_order import CheckedOrder
from execution.risk.exposure import day_result
from execution.risk.marks import Marks, Needed
from execution.risk.portfolio_heat import heat
from execution.sending import targeting
from tests.integration.order_steps import new_order
from tests.integration.risk.test_limits import code_of, filled, first, limit, tried, with_limits

pytestmark = pytest.mark.django_db


def moment(order: Order, quantity: int, known: Marks) -> CheckedOrder:
    return CheckedOrder(order, quantity, known, contexts.default().now())


@pytest.mark.parametrize(
    ("mid", "result"),
    [
        (D(150), D("-0.01")),  # the commission
        (D(149), D("-200.01")),
        (D(151), D("199.99")),
        (None, None),  # held and not priced
    ],
)
def test_the_result_of_the_day_marks_what_is_held(mid: D | None, result: D | None) -> None:
    order = new_order()
    filled(order)
    known = Marks({} if mid is None else {"AAPL": mid})
    assert day_result(moment(order, 200, known), contexts.default()) == result


@pytest.mark.usefixtures("at_noon")  # its second slice is due two hours later
def test_a_loss_beyond_the_limit_stops_children_and_orders() -> None:
    order = new_order()
    filled(order)
    limit("max_daily_loss", 200)
    part = order.slices.get(sequence=1)
    fallen = targeting.Tape(marks=Marks({"AAPL": D(149)}))
    assert tried(part, targeting.Tape()) == "PLANNED DAILY_LOSS_UNKNOWN"
    assert tried(part, fallen) == "SKIPPED DAILY_LOSS"
    limit("max_daily_loss", D("200.01"))
    assert tried(order.slices.get(sequence=2), fallen) == "SENDING"


def test_a_loss_refuses_orders_of_the_account() -> None:
    filled(new_order(100, 1, symbol="MSFT", side="SELL"))  # at 150; the trial market is near 330
    limit("max_daily_loss", 5_000)
    assert code_of(new_order()) == "DAILY_LOSS"
    assert code_of(new_order(account="other")) == "ACCEPTED"
    yesterday = timezone.now() - timedelta(days=1)
    Order.objects.update(created_at=yesterday)
    assert code_of(new_order()) == "DAILY_LOSS"  # older orders, but fills of today
    Order.objects.update(created_at=yesterday, finished_at=yesterday)
    Fill.objects.update(executed_at=yesterday)
    assert code_of(new_order()) == "ACCEPTED"  # another day


class Poor(PaperTrader):
    """A paper broker whose account has 3,000 dollars of buying power, or does not say."""

    says, currency = True, "USD"

    def account_state(self, account: str, *, now: datetime) -> AccountState:
        if not self.says:
            raise BrokerUnavailable("maintenance")
        return AccountState(account, now, D(3_000), D(3_000), {}, self.currency)


def test_buys_stay_within_the_buying_power_that_the_broker_tells() -> None:
    poor = with_limits(within_buying_power=True)
    broker = Poor(poor.config)
    context = replace(poor, broker=OrderManager(poor.config, broker))
    buying_power.forget()
    children = [new_order(10, 1).slices.get() for _ in range(3)]  # some 1,500 dollars each
    assert tried(children[0], context=context) == "SENDING"
    assert (
        tried(children[1], context=context) == "PLANNED BUYING_POWER"
    )  # its limit is above the mid
    assert tried(new_order(9, 1).slices.get(), context=context) == "SENDING"
    assert tried(new_order(1_000, 1, side="SELL", symbol="MSFT").slices.get(), context=context) != (
        "PLANNED BUYING_POWER"
    )
    buying_power.forget()
    broker.says = False
    assert tried(children[2], context=context) == "PLANNED BUYING_POWER_UNKNOWN"
    buying_power.forget()
    broker.says, broker.currency = True, "JPY"  # some twenty dollars
    assert tried(children[2], context=context) == "PLANNED BUYING_POWER_UNKNOWN"
    buying_power.forget()


def test_heat_is_positions_times_volatility_over_equity() -> None:
    order = new_order()
    filled(order)
    known = Marks({"AAPL": D(150), "MSFT": D(330)}, {"AAPL": 0.02, "MSFT": 0.01})
    now = heat(moment(order, 200, known), D(100_000), 100, contexts.default())
    assert now is not None
    # 200 x 150 x 0.02 = 600; with 100 pending and 200 asked for, 500 x 150 x 0.02 = 1,500.
    assert (now.before, now.after) == (D("0.006"), D("0.015"))
    for told, equity in (
        (known, None),
        (Marks({"AAPL": D(150)}), D(1)),
        (Marks({}, {"AAPL": 0.02}), D(1)),
    ):
        assert heat(moment(order, 200, told), equity, 0, contexts.default()) is None


@pytest.mark.parametrize(
    ("bound", "outcome"), [("0.01", "SENDING"), ("0.0001", "PLANNED HEAT_EXCEEDS_MAX")]
)
def test_a_hot_portfolio_stops_children(bound: str, outcome: str) -> None:
    order = new_order(200, 1)
    limit("max_portfolio_heat", D(bound))
    # The trial market moves by about 2 % a day: 200 x 150 x 0.02 is some 600 of a million.
    assert tried(first(order), context=with_limits(account_equity=D(1_000_000))) == outcome


def test_the_market_is_asked_only_for_what_a_limit_needs() -> None:
    filled(new_order(symbol="AAPL"))
    now, context = contexts.default().now(), contexts.default()
    assert marks.needed(context) == Needed(loss=False, heat=False)
    assert marks.read("default", "MSFT", context, needed=Needed(False, False), now=now) == Marks()
    loss = marks.read("default", "MSFT", context, needed=Needed(True, False), now=now)
    assert (set(loss.prices), set(loss.volatility)) == ({"AAPL"}, set())
    hot = marks.read("default", "MSFT", context, needed=Needed(False, True), now=now)
    assert set(hot.prices) == set(hot.volatility) == {"AAPL", "MSFT"}
    assert all(0.005 < value < 0.06 for value in hot.volatility.values())
