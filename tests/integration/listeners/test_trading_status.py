"""The dispatcher listens to a source's trading statuses: halts hold, resumptions let go."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoDbBlocker

from execution.models import MarketHalt
from tests.brokers.alpaca_rig import AlpacaRig, Peer, environment
from tests.brokers.children import working
from tests.stack import SessionStacks, Stack, wait_for

SOON = 20.0  # seconds


@pytest.fixture(scope="module")
def shared(ended_with_the_module: SessionStacks) -> Stack:
    return ended_with_the_module.alone()


@pytest.fixture
def peer(alpaca: AlpacaRig, shared: Stack, django_db_blocker: DjangoDbBlocker) -> Iterator[Peer]:
    """With a dispatcher that listens to it, whatever the test before has left."""
    with django_db_blocker.unblock():
        MarketHalt.objects.all().delete()
        if not shared.members:
            dispatching(shared, alpaca)
        wait_for(lambda: alpaca.peer.tell("data_listeners"), SOON, "the dispatcher to listen")
        yield alpaca.peer


def dispatching(stack: Stack, rig: AlpacaRig) -> None:
    stack.dispatcher(**environment(rig.peer.url, MARKET__SOURCE="alpaca"))


def end_of(symbol: str) -> datetime | None:
    return MarketHalt.objects.filter(symbol=symbol).values_list("end_at", flat=True).first()


def halted(symbol: str) -> Callable[[], bool]:
    return MarketHalt.objects.filter(symbol=symbol, end_at=None, source="alpaca").exists


def test_a_halt_is_known_within_moments_and_ends_with_the_resumption(
    alpaca: AlpacaRig, peer: Peer
) -> None:
    working(alpaca)
    reason = {"sm": "Trading Halt", "rc": "T1", "rm": "Halt News Pending"}
    peer.tell("status", symbol="AAPL", code="H", **reason)
    wait_for(halted("AAPL"), SOON, "the halt")
    row = MarketHalt.objects.get()
    assert row.reason == "Trading Halt: Halt News Pending (T1)"
    peer.tell("status", symbol="AAPL", code="Q")
    resumed = datetime.now(UTC) + timedelta(milliseconds=1)
    peer.tell("status", symbol="AAPL", code="T", at=resumed.isoformat())
    wait_for(lambda: end_of("AAPL"), SOON, "the resumption")
    assert end_of("AAPL") == resumed


def test_what_cannot_be_read_stops_nothing(peer: Peer) -> None:
    peer.tell("status", symbol="AAPL", code="H", at="2026-11-20T10:00:01")
    peer.tell("status", symbol="MSFT", code="2", rc="M")
    wait_for(halted("MSFT"), SOON, "the next halt")
    assert not halted("AAPL")()


def test_a_resumption_that_nobody_heard_is_seen_by_the_trades(
    alpaca: AlpacaRig, peer: Peer
) -> None:
    working(alpaca)
    begun = datetime.now(UTC) - timedelta(minutes=10)
    peer.tell("status", symbol="AAPL", code="2", at=begun.isoformat())
    peer.tell("status", symbol="MSFT", code="2", at=begun.isoformat())
    wait_for(halted("MSFT"), SOON, "the halts")
    peer.tell("kick_data")
    traded = (begun + timedelta(minutes=6)).replace(second=0, microsecond=0)
    peer.tell("bars", symbol="AAPL", start=traded.isoformat(), count=2, volume=500)
    peer.tell("bars", symbol="MSFT", start=traded.isoformat(), count=2, volume=500)
    wait_for(lambda: end_of("AAPL"), 2 * SOON, "the end of the halt")
    assert end_of("AAPL") == traded
    assert halted("MSFT")(), "nobody has an order of it"


def test_one_of_two_dispatchers_listens_and_the_other_takes_over(
    alpaca: AlpacaRig, peer: Peer, shared: Stack
) -> None:
    [first] = shared.members
    dispatching(shared, alpaca)
    peer.tell("status", symbol="AAPL", code="H")
    wait_for(halted("AAPL"), SOON, "the first to book")
    first.kill()
    wait_for(lambda: alpaca.peer.tell("data_listeners"), SOON, "the second to listen")
    peer.tell("status", symbol="MSFT", code="H")
    wait_for(halted("MSFT"), SOON, "the second to book")
