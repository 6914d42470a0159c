"""The whole service in front of the peer: nothing lost, nothing twice, nothing unaccounted."""

from collections import Counter
from collections.abc import Iterator
from signal import SIGCONT, SIGSTOP

import pytest
from django.contrib.auth.models import User
from django.db.models import QuerySet

from deepstack import processes
from execution.domain.lifecycle import ORDER_TERMINAL
from execution.models import Fill, Heartbeat, Order, Slice
from tests.brokers.alpaca_rig import AlpacaRig, environment
from tests.second_factor import token_of
from tests.stack import Process, Stack, wait_for

pytestmark = pytest.mark.any_date

SETTLED = 100.0  # seconds
STRATEGY = "bad-weather"


@pytest.fixture
def service(alpaca: AlpacaRig, empty_stack: Stack) -> Iterator[Stack]:
    empty_stack.environment.update(environment(alpaca.peer.url, ALPACA_READ_SECONDS="2"))
    empty_stack.environment["EXECUTION__SCHEDULING__LEASE_SECONDS"] = "6"
    empty_stack.environment["DEEPSTACK_TOKEN"] = token_of("ann", "Trader")
    empty_stack.team(workers=2)
    listen(empty_stack)
    yield empty_stack
    User.objects.filter(username="ann").delete()


def listen(stack: Stack) -> Process:
    made = stack.start(f"listener-{len(stack.members)}", processes.manage("listen_alpaca"))
    beating = Heartbeat.objects.filter(kind="LISTENER", process__endswith=f":{made.pid}")
    wait_for(beating.exists, 30, "the listener to show life")
    return made


def order(stack: Stack, side: str, quantity: int, symbol: str, slices: int) -> None:
    words = [side, str(quantity), symbol, "--algorithm", "TWAP", "--slices", str(slices)]
    # A worker that is frozen while it asks the broker keeps the others from asking for 15 s.
    done = stack.manage(
        "order", *words, "--window-minutes", "0.6", "--strategy", STRATEGY, "--no-wait"
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr


def audit(rig: AlpacaRig) -> None:
    """Our records against the peer's log, which saw every attempt."""
    accepted = Counter(str(entry["client_order_id"]) for entry in rig.peer.entries("accepted"))
    assert accepted, "something was sent"
    assert set(accepted.values()) == {1}, "twice"
    filled: Counter[str] = Counter()
    for kind in ("fill", "partial_fill"):
        for entry in rig.peer.entries("event", event=kind):
            filled[str(entry["client_order_id"])] += int(str(entry["qty"]))
    parents = Order.objects.filter(strategy=STRATEGY)
    parts = {part.client_order_id: part for part in Slice.objects.filter(order__in=parents)}
    assert set(accepted) <= set(parts), "unaccounted"
    for client_order_id, part in parts.items():
        assert part.filled_quantity == filled[client_order_id], part
        assert part.is_terminal, part
    for parent in parents:
        assert parent.status in ORDER_TERMINAL
        assert parent.filled_quantity <= parent.quantity
        executed = sum(fill.quantity for fill in Fill.objects.filter(order=parent))
        assert executed == parent.filled_quantity


def live() -> QuerySet[Order]:
    return Order.objects.filter(strategy=STRATEGY).exclude(status__in=ORDER_TERMINAL)


@pytest.mark.timeout(360)
def test_orders_are_worked_to_their_end_through_lost_answers_and_killed_processes(
    alpaca: AlpacaRig, service: Stack
) -> None:
    alpaca.peer.tell("weather", seed=11, share=0.25)
    for symbol in ("AAPL", "MSFT", "GOOGL"):
        order(service, "BUY", 600, symbol, 12)
    worker, frozen, listener = service.members[0], service.members[1], service.members[3]
    wait_for(lambda: len(alpaca.peer.entries("accepted")) > 6, 40, "some children to be sent")
    worker.kill()
    listener.kill()
    service.worker()
    frozen.signal(SIGSTOP)
    wait_for(lambda: len(alpaca.peer.entries("accepted")) > 14, 60, "more children to be sent")
    frozen.signal(SIGCONT)
    listen(service)
    wait_for(lambda: not live().filter(end_at__gt=alpaca.now()).exists(), 60, "the windows to end")
    alpaca.peer.tell("calm")
    wait_for(lambda: not live().exists(), SETTLED, "every order to end")
    audit(alpaca)
    kinds = {entry["status"] for entry in alpaca.peer.entries("answer")}
    assert {429, 500, 504} <= kinds, "the weather was bad"
