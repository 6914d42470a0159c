"""Reconcile first, then trade: what leaves a worker, and when, before and after a gap."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from deepstack import processes
from execution.broker.base import BrokerUnavailable
from execution.broker.order_manager import OrderManager
from execution.context import Context, default
from execution.models import BrokerAccount, Order, TradingState
from execution.reconciliation import trading_gate
from tests.brokers.alpaca_rig import AlpacaRig, environment
from tests.brokers.ibkr_rig import Context as IbkrContext
from tests.brokers.ibkr_rig import context
from tests.second_factor import token_of
from tests.stack import Stack, wait_for

__all__ = ["context"]

PATIENCE = 40.0  # seconds
ACCOUNT = "gated"


@pytest.fixture
def service(alpaca: AlpacaRig, empty_stack: Stack) -> Iterator[Stack]:
    empty_stack.environment |= environment(alpaca.peer.url, ACCOUNT=ACCOUNT)
    empty_stack.environment["DEEPSTACK_TOKEN"] = token_of("ann", "Trader")
    alpaca.peer.tell("set", auto_fill=0.1)
    yield empty_stack
    BrokerAccount.objects.filter(account=ACCOUNT).delete()
    TradingState.objects.filter(scope="SYMBOL").delete()
    User.objects.filter(username="ann").delete()


def order(stack: Stack, quantity: int, symbol: str) -> Order:
    words = ["--algorithm", "TWAP", "--slices", "4", "--window-minutes", "0.5", "--no-wait"]
    done = stack.manage("order", "BUY", str(quantity), symbol, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return Order.objects.latest("pk")


def compared_since(moment: datetime | None) -> bool:
    rows = BrokerAccount.objects.filter(account=ACCOUNT, compared_at_real__isnull=False)
    return (rows if moment is None else rows.filter(compared_at_real__gte=moment)).exists()


def test_no_child_leaves_before_the_account_was_compared(alpaca: AlpacaRig, service: Stack) -> None:
    refusal = {"message": "internal server error"}
    alpaca.peer.tell(
        "fault", method="GET", path="/v2/positions", status=500, body=refusal, times=-1
    )
    # What was compared before these processes began tells what is held, and opens nothing.
    earlier = timezone.now()
    BrokerAccount.objects.create(
        broker="alpaca", account=ACCOUNT, accepted_at_real=earlier, compared_at_real=earlier
    )
    service.team()
    placed = order(service, 400, "AAPL")
    first = placed.slices.order_by("sequence")[0]

    def held_back() -> bool:
        first.refresh_from_db()
        return "is not compared with the broker" in first.reason

    wait_for(held_back, PATIENCE, f"the first child to be held back, not {first.reason!r}")
    assert alpaca.peer.entries("accepted") == []
    assert BrokerAccount.objects.get(account=ACCOUNT).compared_at_real == earlier

    alpaca.peer.tell("set", faults=[])
    wait_for(lambda: alpaca.peer.entries("accepted"), PATIENCE, "children to leave")
    accepted_at = float(str(alpaca.peer.entries("accepted")[0]["at"]))
    row = BrokerAccount.objects.get(account=ACCOUNT)
    # A comparison is dated by its beginning, which may lie before the fault's end.
    assert row.compared_at_real is not None
    assert earlier.timestamp() < row.compared_at_real.timestamp() < accepted_at


def test_an_order_of_somebody_else_halts_its_symbol_before_ours_leave(
    alpaca: AlpacaRig, service: Stack
) -> None:
    alpaca.foreign_order("MSFT", "SELL", 30)
    service.worker()
    wait_for(lambda: compared_since(None), PATIENCE, "the account to be compared")
    refused = service.manage("order", "BUY", "10", "MSFT", "--no-wait")
    assert refused.returncode == 1
    assert "TRADING_HALTED" in refused.stdout
    assert alpaca.peer.entries("accepted") == []


def test_after_a_gap_of_the_stream_the_account_is_compared_again(
    alpaca: AlpacaRig, service: Stack
) -> None:
    service.worker()
    service.start("listener", processes.live_broker())
    rows = BrokerAccount.objects.filter(account=ACCOUNT)
    wait_for(lambda: alpaca.peer.tell("listeners") == 1, PATIENCE, "the stream")
    wait_for(lambda: compared_since(None), PATIENCE, "the first comparison")
    before = rows.get().due_at_real
    alpaca.peer.tell("kick")

    def gap_noted() -> bool:
        due = rows.get().due_at_real
        return due is not None and due != before

    wait_for(gap_noted, PATIENCE, "the gap to be noted")
    gap = rows.get().due_at_real
    wait_for(lambda: compared_since(gap), PATIENCE, "the account to be compared again")


def test_a_gateway_that_lost_its_connection_asks_for_a_comparison(context: IbkrContext) -> None:
    context.ready()
    row, _ = BrokerAccount.objects.get_or_create(broker="ibkr", account="DU1234567")
    before = row.due_at_real
    context.tws.do("cut")

    def gap_noted() -> bool:
        row.refresh_from_db()
        return row.due_at_real is not None and row.due_at_real != before

    wait_for(gap_noted, PATIENCE, "the gap to be noted")
    row.delete()


def test_paper_trading_has_no_gate() -> None:
    assert trading_gate.put_before(default()) is None
    assert default().broker.closed_for("anybody") == ""


@pytest.mark.django_db(transaction=True)
def test_a_closed_gate_is_surely_unsent_and_says_why(alpaca: AlpacaRig) -> None:
    """Closed from the first moment, and opened by nothing but a comparison."""
    manager = OrderManager(config=alpaca.config, paper_trader=alpaca.broker)
    live = alpaca.config.model_copy(update={"trading_mode": "live"})
    before = Context(live, default().market, manager, alpaca.now)
    alpaca.peer.tell("fault", method="GET", path="/v2/orders", then="go on", seconds=1.0)
    made = trading_gate.put_before(before)
    assert made is not None
    with pytest.raises(BrokerUnavailable, match="'default' is not compared with the broker"):
        manager.place(alpaca.ticket(), now=alpaca.now())
    wait_for(lambda: not manager.closed_for("default"), PATIENCE, "the gate to open")
    manager.place(alpaca.ticket(), now=alpaca.now())
    assert "not compared" in manager.closed_for("nobody's")
    made.end()


@pytest.mark.django_db(transaction=True)
def test_a_process_without_a_gate_of_its_own_is_closed_until_somebody_compares(
    alpaca: AlpacaRig,
) -> None:
    """By what the database says at each send: in every process, and again after each gap."""
    manager = OrderManager(config=alpaca.config, paper_trader=alpaca.broker)
    before = timezone.now()
    manager.close_until_compared()
    row = BrokerAccount(broker=alpaca.broker.name, account="default", problem="time-out")

    def closed(**changes: datetime) -> str:
        for name, value in changes.items():
            setattr(row, name, value)
        row.save()
        return manager.closed_for("default")

    assert "not compared" in manager.closed_for("default")
    assert closed().endswith("is not compared with the broker: time-out")
    # A comparison from before this process began may be of a time before a gap.
    assert closed(compared_at_real=before)
    assert not closed(compared_at_real=timezone.now())
    assert closed(due_at_real=timezone.now())
    with pytest.raises(BrokerUnavailable, match="not compared"):
        manager.place(alpaca.ticket(), now=alpaca.now())
    assert not closed(compared_at_real=timezone.now())
    manager.place(alpaca.ticket(), now=alpaca.now())


IN_A_SCRIPT = f"""
from execution import context
from execution.reconciliation import account_reconciliation
at = context.default()
print("before:", at.broker.closed_for("{ACCOUNT}"))
account_reconciliation.compare("{ACCOUNT}", at, thorough=False)
print("after:", at.broker.closed_for("{ACCOUNT}") or "open")
"""


def test_a_script_and_a_command_are_closed_before_their_comparison(service: Stack) -> None:
    first = service.manage("shell", "-c", IN_A_SCRIPT)
    assert f"before: account '{ACCOUNT}' is not compared with the broker" in first.stdout
    assert "after: open" in first.stdout
    # What another process compared before this one began opens nothing.
    second = service.manage("shell", "-c", IN_A_SCRIPT)
    assert f"before: account '{ACCOUNT}' is not compared with the broker" in second.stdout
