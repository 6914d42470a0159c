"""Our records beside those of Alpaca and of Interactive Brokers, over a real connection."""

import json
from collections.abc import Iterator
from itertools import count

import pytest
from pytest_django import DjangoDbBlocker

from execution.broker.base import BrokerUnavailable, OutcomeUnknown
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.lifecycle import SliceStatus
from execution.market import market_data
from execution.models import BrokerAccount, BrokerDifference, Fill, Slice, TradingState
from execution.reconciliation import account_reconciliation
from execution.reconciliation.account_reconciliation import Report
from tests.brokers.alpaca_rig import AlpacaRig
from tests.brokers.ibkr_rig import Context as IbkrContext
from tests.brokers.ibkr_rig import IbkrRig, context
from tests.brokers.rig import PATIENCE, PRICE, Rig
from tests.integration.order_steps import claim, new_order, receive
from tests.stack import wait_for

__all__ = ["context"]

_numbers = count(1)


def compare(rig: Rig, *, thorough: bool = False) -> Report:
    config = rig.config  # type: ignore[attr-defined]  # both rigs here have one
    manager = OrderManager(config=config, paper_trader=rig.broker)
    at = Context(config, market_data(), manager, rig.now)
    return account_reconciliation.compare(rig.account, at, thorough=thorough)


def child(rig: Rig, quantity: int = 100) -> Slice:
    """A child of ours that works at the broker."""
    order = new_order(quantity, parts=1, account=rig.account)
    intent = claim(order.slices.get())
    assert intent is not None, order.status_reason
    receive(intent, rig.broker.place(intent.ticket, now=rig.now()))
    parts = Slice.objects.filter(client_order_id=intent.ticket.client_order_id)
    parts.update(broker=rig.broker.name)
    return parts.select_related("order").get()


def of(report: Report, *kinds: str) -> list[BrokerDifference]:
    return [each for each in report.differences if each.kind in kinds]


class ComparisonContract:
    @pytest.fixture
    def rig(self) -> Rig:
        raise NotImplementedError("a subclass provides its rig")

    def test_what_we_missed_is_booked_and_nothing_differs(self, rig: Rig) -> None:
        compare(rig)
        part, ended = child(rig), child(rig)
        rig.fill(part.client_order_id, 40, PRICE)
        rig.fill(ended.client_order_id, 100, PRICE)
        wait_for(lambda: not compare(rig).differences, 3 * PATIENCE, "both sides to agree")
        part.refresh_from_db()
        ended.refresh_from_db()
        assert (part.status, part.filled_quantity) == (SliceStatus.WORKING, 40)
        assert (ended.status, ended.filled_quantity) == (SliceStatus.FILLED, 100)
        assert not of(compare(rig, thorough=True), "FILL", "POSITION", "ORDER")
        assert Fill.objects.filter(slice__in=[part, ended]).count() == 2

    def test_an_order_of_somebody_else_is_found_and_left_alone(self, rig: Rig) -> None:
        compare(rig)
        rig.foreign_order("MSFT", "SELL", 30)
        found = of(compare(rig), "EXTERNAL_ORDER")
        assert "SELL 30 MSFT" in {each.theirs for each in found}
        assert TradingState.objects.get(scope="SYMBOL", key="MSFT").state == "HALTED"
        open_orders = rig.broker.open_orders(rig.account, now=rig.now())  # type: ignore[attr-defined]
        assert ("MSFT", 30) in {(each.symbol, each.leaves) for each in open_orders}

    def test_a_position_that_is_not_of_our_fills_is_found(self, rig: Rig) -> None:
        before = compare(rig).account
        positions = {**before.positions, "GOOGL": before.positions.get("GOOGL", 0) - 20}
        rig.set_account(cash=before.cash, buying_power=before.buying_power, positions=positions)
        (found,) = of(compare(rig), "POSITION", "CASH")
        assert (found.subject, found.gap) == ("GOOGL", "-20")

    def test_a_child_that_the_exchange_ended_is_no_difference(self, rig: Rig) -> None:
        part = child(rig)
        rig.end(part.client_order_id, SliceStatus.CANCELLED)
        wait_for(lambda: not of(compare(rig), "ORDER"), 3 * PATIENCE, "both sides to agree")
        part.refresh_from_db()
        assert part.status == SliceStatus.CANCELLED

    def test_a_broker_out_of_reach_is_no_comparison(self, rig: Rig) -> None:
        compare(rig)
        rig.foreign_order("MSFT", "BUY", 10)
        known = {each.pk for each in compare(rig).differences}
        rig.break_connection()
        with pytest.raises((BrokerUnavailable, OutcomeUnknown)):
            compare(rig)
        row = BrokerAccount.objects.get(broker=rig.broker.name, account=rig.account)
        assert row.problem
        assert row.failing_since_real is not None
        still = BrokerDifference.objects.filter(pk__in=known, gone_at_real=None)
        assert set(still.values_list("pk", flat=True)) == known, "an error is not 'no orders'"


def forget(account: str) -> None:
    BrokerAccount.objects.filter(account=account).delete()
    BrokerDifference.objects.filter(account=account).delete()
    TradingState.objects.filter(scope="SYMBOL").delete()


class TestAlpaca(ComparisonContract):
    @pytest.fixture
    def rig(self, alpaca: AlpacaRig, transactional_db: None) -> Iterator[AlpacaRig]:
        name = f"alpaca-{next(_numbers)}"
        rig = AlpacaRig(alpaca.peer, account=name)
        rig.account = name
        yield rig
        alpaca.spent = rig.spent
        forget(name)

    def test_an_option_spread_of_somebody_else_does_not_keep_the_account_from_trading(
        self, rig: AlpacaRig
    ) -> None:
        spread = {
            "id": "7c2d", "client_order_id": "", "order_class": "mleg", "symbol": "", "side": "",
            "qty": "2", "filled_qty": None, "status": "new", "submitted_at": "2026-11-27T15:00:00Z",
            "legs": [
                {"symbol": "AAPL270115C00150000", "side": "buy"},
                {"symbol": "AAPL270115C00160000", "side": "sell"},
            ],
        }  # fmt: skip
        rig.peer.tell("fault", method="GET", body=json.dumps([spread]), times=-1)
        (found,) = of(compare(rig), "EXTERNAL_ORDER")
        assert found.theirs == "BUY+SELL 2 AAPL270115C00150000+AAPL270115C00160000"

    @pytest.mark.parametrize(
        ("path", "status", "body"),
        [
            ("/v2/positions", 404, {"code": 40410000, "message": "not found"}),
            ("/v2/orders", 404, {"code": 40410000, "message": "not found"}),
            ("/v2/account/activities", 404, {"code": 40410000, "message": "not found"}),
        ],
        ids=str,
    )
    def test_an_answer_that_is_none_is_told_as_a_comparison_that_failed(
        self, rig: AlpacaRig, path: str, status: int, body: object
    ) -> None:
        compare(rig)
        rig.fill(child(rig).client_order_id, 40, PRICE)
        rig.peer.tell("fault", method="GET", path=path, status=status, body=body, times=-1)
        with pytest.raises((BrokerUnavailable, OutcomeUnknown)):
            compare(rig)
        row = BrokerAccount.objects.get(broker="alpaca", account=rig.account)
        assert "not found" in row.problem
        assert row.failing_since_real is not None


class TestInteractiveBrokers(ComparisonContract):
    @pytest.fixture
    def rig(self, context: IbkrContext, django_db_blocker: DjangoDbBlocker) -> Iterator[Rig]:
        with django_db_blocker.unblock():
            context.tws.do("reset")
            context.tws.do("up")
            context.ready()
            rig = IbkrRig(context)
            forget(rig.account)
            yield rig
            forget(rig.account)

    def test_cash_that_is_no_dollars_is_not_compared_with_dollars(self, rig: IbkrRig) -> None:
        before = compare(rig).account
        rig.tws.do("set", currency="JPY", cash=str(before.cash * 150))
        assert not of(compare(rig), "CASH")
        rig.tws.do("set", currency="USD")
        assert of(compare(rig), "CASH")
        rig.tws.do("set", cash=str(before.cash))
