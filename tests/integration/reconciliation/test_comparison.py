"""Our records beside the paper broker's book, which a test may change behind our back."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from django.db.models import F

from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.lifecycle import SliceStatus
from execution.market.calendar import NEW_YORK
from execution.models import (
    BrokerAccount,
    BrokerDifference,
    Fill,
    OrderEvent,
    PaperExecution,
    PaperOrder,
    Slice,
    TradingState,
)
from execution.reconciliation import account_reconciliation
from execution.reconciliation.account_reconciliation import Busy, Report
from execution.risk import kill_switch
from tests.brokers.rig import PRICE
from tests.integration.broker.test_paper import PaperRig
from tests.integration.order_steps import claim, new_order, receive
from tests.integration.sending.claims import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)

_numbers = count(1)


def no_pause(seconds: float) -> None:
    pass


@dataclass
class Account:
    """One account, the paper exchange behind it, and the service before it."""

    rig: PaperRig
    name: str
    context: Context

    def compare(self, *, thorough: bool = True) -> Report:
        return account_reconciliation.compare(
            self.name, self.context, thorough=thorough, sleep=no_pause
        )

    def found(self, *, thorough: bool = True) -> list[tuple[str, str]]:
        report = self.compare(thorough=thorough)
        return [(each.kind, each.subject) for each in report.differences]

    def child(self, quantity: int = 100, symbol: str = "AAPL") -> Slice:
        """A child that works at the broker."""
        order = new_order(quantity, parts=1, account=self.name, symbol=symbol)
        intent = claim(order.slices.get())
        assert intent is not None
        receive(intent, self.rig.broker.place(intent.ticket, now=self.rig.now()))
        parts = Slice.objects.filter(client_order_id=intent.ticket.client_order_id)
        parts.update(broker="paper")
        return parts.select_related("order").get()

    def trade(self, part: Slice, quantity: int) -> None:
        self.rig.fill(part.client_order_id, quantity, part.limit_price or PRICE)

    def foreign(self, symbol: str, quantity: int, price: int = 0) -> PaperOrder:
        """Somebody else's order in the account: executed at a price, or open."""
        order = PaperOrder.objects.create(
            client_order_id=f"foreign-{next(_numbers)}",
            account=self.name,
            symbol=symbol,
            side="BUY",
            quantity=quantity,
            filled_quantity=quantity if price else 0,
            limit_price=1,
            status="FILLED" if price else "WORKING",
            accepted_at=self.rig.now(),
            changed_at=self.rig.now(),
            matched_until=self.rig.now(),
        )
        if price:
            PaperExecution.objects.create(
                order=order,
                quantity=quantity,
                price=price,
                commission=0,
                executed_at=self.rig.now(),
            )
        return order


@pytest.fixture
def account() -> Account:
    rig = PaperRig()
    manager = OrderManager(config=rig.config, paper_trader=rig.broker)
    return Account(
        rig, f"compared-{next(_numbers)}", Context(rig.config, rig.market, manager, rig.now)
    )


def test_what_we_traded_ourselves_is_no_difference(account: Account) -> None:
    part, other = account.child(), account.child(symbol="MSFT")
    assert account.found() == []
    account.trade(part, 100)
    account.trade(other, 30)
    report = account.compare()
    assert list(report.differences) == []
    assert report.account.positions == {"AAPL": 100, "MSFT": 30}


def test_what_was_missed_is_booked_by_the_comparison(account: Account) -> None:
    part = account.child()
    account.trade(part, 40)
    assert not Fill.objects.filter(slice=part).exists()
    assert account.found(thorough=False) == []
    part.refresh_from_db()
    assert (part.status, part.filled_quantity) == (SliceStatus.WORKING, 40)


def test_what_the_account_held_at_the_first_comparison_was_there_before(account: Account) -> None:
    account.foreign("TSLA", 70, price=200)
    part = account.child()
    account.trade(part, 100)
    report = account.compare()
    assert list(report.differences) == []
    assert report.account.positions_beside == {"TSLA": 70}
    assert report.account.cash_beside == account.rig.config.paper.cash - 70 * 200
    assert account.found() == []


def test_what_somebody_else_trades_is_found_once_and_until_it_is_gone(account: Account) -> None:
    account.compare()
    order = account.foreign("TSLA", 70, price=200)
    assert account.found() == [("POSITION", "TSLA"), ("CASH", "cash")]
    first = set(BrokerDifference.objects.values_list("pk", flat=True))
    assert account.found(thorough=False) == [("POSITION", "TSLA"), ("CASH", "cash")]
    assert set(BrokerDifference.objects.values_list("pk", flat=True)) == first
    words = BrokerDifference.objects.get(account=account.name, kind="POSITION").words
    assert words == "TSLA: the broker has 70 shares, our fills make 0: +70"

    order.executions.all().delete()
    assert account.found(thorough=False) == []
    assert not BrokerDifference.objects.filter(pk__in=first, gone_at_real=None).exists()


def test_a_named_person_may_accept_what_somebody_else_traded(account: Account) -> None:
    account.compare()
    account.foreign("TSLA", 70, price=200)
    account.compare()
    with pytest.raises(ValueError, match="name of the person"):
        account_reconciliation.accept(account.name, account.context, by=" ")
    report = account_reconciliation.accept(account.name, account.context, by="ann")
    assert list(report.differences) == []
    assert (report.account.accepted_by, report.account.positions_beside) == ("ann", {"TSLA": 70})
    accepted = BrokerDifference.objects.filter(account=account.name)
    assert {each.accepted_by for each in accepted} == {"ann"}
    assert account.found() == []


def test_a_small_difference_in_cash_is_no_news(account: Account) -> None:
    account.compare()
    account.foreign("TSLA", 70, price=200)
    PaperExecution.objects.filter(order__account=account.name).update(price=1)
    assert account.found() == [("POSITION", "TSLA")]


def test_somebody_elses_order_is_left_alone_and_its_symbol_halted_once(account: Account) -> None:
    symbol = f"EXT{next(_numbers)}"
    order = account.foreign(symbol, 70)
    (found,) = account.compare().differences
    assert (found.kind, found.symbol, found.theirs) == (
        "EXTERNAL_ORDER",
        symbol,
        f"BUY 70 {symbol}",
    )
    state = TradingState.objects.get(scope="SYMBOL", key=symbol)
    assert state.state == "HALTED"
    assert "not ours" in state.reason
    order.refresh_from_db()
    assert order.status == "WORKING", "it is not touched"

    now = account.rig.now()
    kill_switch.resume(scope="SYMBOL", key=symbol, by="ann", reason="it is a hedge", now=now)
    account.compare()
    assert TradingState.objects.get(scope="SYMBOL", key=symbol).state == "ACTIVE"

    PaperOrder.objects.filter(pk=order.pk).update(status="CANCELLED")
    assert account.found() == []
    found.refresh_from_db()
    assert found.gone_at_real is not None


def test_orders_of_others_need_not_halt_anything(account: Account) -> None:
    execution = account.context.config.execution
    off = execution.comparison.model_copy(update={"halt_external_symbols": False})
    config = account.context.config.model_copy(
        update={"execution": execution.model_copy(update={"comparison": off})}
    )
    account.context = replace(account.context, config=config)
    symbol = f"EXT{next(_numbers)}"
    account.foreign(symbol, 70)
    assert [kind for kind, _ in account.found()] == ["EXTERNAL_ORDER"]
    assert not TradingState.objects.filter(key=symbol).exists()


def test_a_child_that_ended_here_and_works_there_is_cancelled_there(account: Account) -> None:
    part = account.child()
    account.compare()
    Slice.objects.filter(pk=part.pk).update(status=SliceStatus.CANCELLED)
    assert account.found() == []
    assert PaperOrder.objects.get(client_order_id=part.client_order_id).status == "CANCELLED"


def test_a_child_that_the_broker_lost_is_for_a_person(account: Account) -> None:
    part = account.child()
    account.compare()
    PaperOrder.objects.filter(client_order_id=part.client_order_id).delete()
    assert account.found(thorough=False) == [("ORDER", part.client_order_id)]
    part.refresh_from_db()
    assert part.status == SliceStatus.WORKING, "it keeps counting as working"
    assert OrderEvent.objects.filter(slice=part, kind="MISSING_AT_BROKER").exists()


def test_executions_that_the_broker_takes_back_unsaid_are_found(account: Account) -> None:
    part = account.child()
    account.trade(part, 40)
    account.compare()
    PaperExecution.objects.filter(order__client_order_id=part.client_order_id).update(quantity=30)
    PaperOrder.objects.filter(client_order_id=part.client_order_id).update(
        filled_quantity=F("filled_quantity") - 10
    )
    kinds = {kind for kind, _ in account.found()}
    assert {"FILL", "POSITION"} <= kinds
    words = BrokerDifference.objects.get(subject=part.client_order_id, kind="FILL").words
    assert "40 shares of a child are booked, the broker reports 30" in words
    assert "FILL" in {kind for kind, _ in account.found(thorough=False)}, "it was not judged anew"


def test_two_do_not_compare_at_once(account: Account) -> None:
    with elsewhere(lambda: account_reconciliation._alone(0)), pytest.raises(Busy):
        account.compare()


@pytest.fixture
def only(account: Account) -> Account:
    """An account that is the only one there is, for what looks at all of them."""
    config = account.context.config.model_copy(update={"account": account.name})
    account.context = replace(account.context, config=config)
    return account


def test_each_account_is_compared_once_a_night(only: Account) -> None:
    assert only.name in account_reconciliation.nightly(only.context)
    assert only.name not in account_reconciliation.nightly(only.context)
    day_ago = BrokerAccount.objects.get(account=only.name).thorough_at_real
    assert day_ago is not None
    BrokerAccount.objects.filter(account=only.name).update(
        thorough_at_real=day_ago - timedelta(hours=25)
    )
    assert only.name in account_reconciliation.nightly(only.context)


@pytest.mark.parametrize(
    ("now", "night"),
    [
        ("2026-11-20 20:14", "2026-11-19 20:15"),
        ("2026-11-20 20:15", "2026-11-20 20:15"),
        ("2026-11-21 03:00", "2026-11-20 20:15"),
        ("2026-03-08 12:00", "2026-03-07 20:15"),  # the clocks went forward in between
    ],
)
def test_the_night_is_the_exchanges(now: str, night: str) -> None:
    assert account_reconciliation.last_night(in_new_york(now)) == in_new_york(night)


def in_new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)
