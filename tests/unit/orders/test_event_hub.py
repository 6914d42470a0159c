"""Who is offered which event."""

import asyncio

import pytest

from execution.models import Order, OrderEvent
from execution.orders import event_hub
from execution.orders.event_hub import Listener, Wanted
from execution.orders.event_message import EventMessage


def event(number: int, *, transaction: int = 5, **order: object) -> OrderEvent:
    values = {"id": 1, "account": "main", "strategy": "s", **order}
    found = OrderEvent(pk=number, order=Order(**values))
    found.written = transaction  # type: ignore[attr-defined]
    return found


def offered(listener: Listener, *events: OrderEvent) -> int:
    for each in events:
        listener.offer(each, EventMessage(id=each.pk))  # type: ignore[typeddict-item]
    return listener.waiting.qsize()


@pytest.mark.parametrize(
    ("wanted", "n"),
    [
        (Wanted(), 1),
        (Wanted(order_id=1, account="main", strategy="s"), 1),
        (Wanted(order_id=2), 0),
        (Wanted(account="other"), 0),
        (Wanted(strategy=""), 0),
    ],
)
def test_a_listener_gets_what_it_wants(wanted: Wanted, n: int) -> None:
    assert offered(Listener(wanted, after=(0, 0)), event(1)) == n


def test_what_a_listener_has_is_not_offered_again() -> None:
    listener = Listener(Wanted(), after=(5, 10))
    assert offered(listener, event(10), event(20, transaction=4)) == 0
    assert offered(listener, event(11), event(3, transaction=6)) == 2


def test_a_slow_listener_is_dropped_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_hub, "MOST_WAITING", 3)
    listener = Listener(Wanted(), after=(0, 0), waiting=asyncio.Queue(4))
    assert offered(listener, *(event(number) for number in range(1, 9))) == 4
    assert listener.dropped
    told = [listener.waiting.get_nowait() for _ in range(4)]
    assert told[-1] is None
