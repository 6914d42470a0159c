"""The listener, a real process on the peer's websocket: what is executed is booked, once, soon."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from time import monotonic

import pytest
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from deepstack import processes
from deepstack.config import Config
from execution.broker.base import Ticket
from execution.broker.links import trouble
from execution.domain.lifecycle import SliceStatus
from execution.listeners.alpaca import MUTE_AFTER
from execution.listeners.alpaca_updates import HANDS
from execution.models import Fill, Heartbeat, Order, Slice
from tests.brokers.alpaca_rig import AlpacaRig, environment
from tests.brokers.children import becomes, working
from tests.brokers.rig import PRICE
from tests.stack import Process, SessionStacks, Stack, wait_for

SOON = 10.0  # seconds
WITHIN = 5.0  # seconds, for a lost connection to be known of


@dataclass
class Listening:
    """The listener that most tests share; one that ended is replaced."""

    stacks: SessionStacks
    stack: Stack | None = None

    def to(self, rig: AlpacaRig) -> Process:
        if self.stack is None or not all(process.alive for process in self.stack.members):
            self.stack = self.stacks.alone()
            start(rig, self.stack)
        return self.stack.members[0]


@pytest.fixture(scope="module")
def listening(ended_with_the_module: SessionStacks) -> Listening:
    return Listening(ended_with_the_module)


@pytest.fixture
def listener(
    alpaca: AlpacaRig, listening: Listening, django_db_blocker: DjangoDbBlocker
) -> Iterator[Process]:
    with django_db_blocker.unblock():
        yield listening.to(alpaca)


def start(rig: AlpacaRig, stack: Stack) -> Process:
    made = stack.start(
        f"listener-{len(stack.members)}",
        processes.manage("listen_alpaca"),
        **environment(rig.peer.url),
    )
    wait_for(lambda: state_of(made) == "listening", 30, "the listener to listen")
    return made


def state_of(process: Process) -> object:
    assert process.alive, process.output(40)
    row = Heartbeat.objects.filter(kind="LISTENER", process__endswith=f":{process.pid}").first()
    return row and row.detail.get("state")


def test_an_execution_is_booked_within_milliseconds(alpaca: AlpacaRig, listener: Process) -> None:
    parts = [working(alpaca) for _ in range(40)]
    for part in parts:  # one after the other, not a burst
        alpaca.fill(part.client_order_id, 100, PRICE)
        becomes(part, SliceStatus.FILLED, 100)
    told = {
        str(entry["client_order_id"]): float(str(entry["at"]))
        for entry in alpaca.peer.entries("event", event="fill")
    }
    fills = Fill.objects.filter(slice__in=parts).select_related("slice")
    waits = sorted(
        fill.recorded_at_real.timestamp() - told[fill.slice.client_order_id] for fill in fills
    )
    print(f"booked after {waits[20] * 1000:.0f} ms in the middle, {waits[37] * 1000:.0f} ms late")
    assert len(waits) == 40
    assert waits[10] < 0.2, "asking now and then would take longer, on any machine"


def test_partial_fills_and_the_cancel_of_the_rest_are_followed(
    alpaca: AlpacaRig, listener: Process
) -> None:
    part = working(alpaca)
    alpaca.fill(part.client_order_id, 30, PRICE)
    becomes(part, SliceStatus.WORKING, 30)
    alpaca.fill(part.client_order_id, 20, PRICE - 1)
    becomes(part, SliceStatus.WORKING, 50)
    alpaca.end(part.client_order_id, SliceStatus.CANCELLED)
    becomes(part, SliceStatus.CANCELLED, 50)
    part.order.refresh_from_db()
    assert part.order.filled_notional == 30 * PRICE + 20 * (PRICE - 1)


def test_updates_that_cannot_be_booked_hold_up_no_others(
    alpaca: AlpacaRig, listener: Process
) -> None:
    odd = [working(alpaca) for _ in range(HANDS + 1)]
    unreadable = {"residual": {"policy": "of a later release"}}
    Order.objects.filter(slices__in=odd).update(routing=unreadable)
    for part in odd:
        alpaca.end(part.client_order_id, SliceStatus.CANCELLED)
    said = "an update cannot be booked"
    log = listener.log.parent / "deepstack.log"
    for part in odd:
        wait_for(
            lambda part=part: any(
                said in line and part.client_order_id in line
                for line in log.read_text().splitlines()
            ),
            SOON,
            "each of them to be tried",
        )
    other = working(alpaca)
    alpaca.fill(other.client_order_id, 100, PRICE)
    becomes(other, SliceStatus.FILLED, 100)


def test_an_order_that_alpaca_refuses_later_keeps_its_words(
    alpaca: AlpacaRig, listener: Process
) -> None:
    part = working(alpaca)
    alpaca.peer.tell(
        "end",
        client_order_id=part.client_order_id,
        status="rejected",
        reason="potential wash trade detected",
    )
    becomes(part, SliceStatus.REJECTED, 0)
    assert part.reason == "WASH_TRADE: potential wash trade detected"
    alpaca.broker.reports("default", alpaca.now() - timedelta(minutes=1), now=alpaca.now())
    silent = working(alpaca)
    alpaca.end(silent.client_order_id, SliceStatus.REJECTED)
    becomes(silent, SliceStatus.REJECTED, 0)
    assert silent.reason == "REJECTED: the broker gives no reason"


def test_an_execution_after_the_end_is_booked(alpaca: AlpacaRig, listener: Process) -> None:
    part = working(alpaca)
    alpaca.end(part.client_order_id, SliceStatus.CANCELLED)
    becomes(part, SliceStatus.CANCELLED, 0)
    alpaca.fill_late(part.client_order_id, 30, PRICE)
    becomes(part, SliceStatus.CANCELLED, 30)


def test_updates_told_again_and_in_disorder_change_nothing(
    alpaca: AlpacaRig, listener: Process
) -> None:
    alpaca.peer.tell("set", repeat=3)
    part = working(alpaca)
    alpaca.fill(part.client_order_id, 40, PRICE)
    becomes(part, SliceStatus.WORKING, 40)
    alpaca.fill(part.client_order_id, 60, PRICE)
    becomes(part, SliceStatus.FILLED, 100)
    alpaca.peer.tell("repeat_events")
    after = working(alpaca)
    alpaca.fill(after.client_order_id, 100, PRICE)
    becomes(after, SliceStatus.FILLED, 100)  # so the repeated ones have been heard
    assert Fill.objects.filter(slice=part).count() == 2
    becomes(part, SliceStatus.FILLED, 100)
    assert alpaca.peer.entries("attempt", method="DELETE") == []


def test_an_execution_that_the_account_shows_late_is_waited_for(
    alpaca: AlpacaRig, listener: Process
) -> None:
    alpaca.peer.tell("set", activity_lag=0.5)
    part = working(alpaca)
    alpaca.fill(part.client_order_id, 40, PRICE)
    becomes(part, SliceStatus.WORKING, 40)


def test_what_happens_while_the_stream_is_away_is_read_afterwards(
    alpaca: AlpacaRig, listener: Process
) -> None:
    """Nothing is repeated after a reconnect."""
    filled, cancelled = working(alpaca), working(alpaca)
    alpaca.peer.tell("kick")
    alpaca.fill(filled.client_order_id, 100, PRICE)
    alpaca.end(cancelled.client_order_id, SliceStatus.CANCELLED)
    assert alpaca.peer.tell("listeners") == 0
    becomes(filled, SliceStatus.FILLED, 100)
    becomes(cancelled, SliceStatus.CANCELLED, 0)


def test_orders_of_others_are_left_alone(alpaca: AlpacaRig, listener: Process) -> None:
    alpaca.foreign_order("MSFT", "BUY", 5)
    part = working(alpaca)
    alpaca.fill(part.client_order_id, 100, PRICE)
    becomes(part, SliceStatus.FILLED, 100)
    assert alpaca.peer.entries("attempt", method="DELETE") == []


def test_a_stream_that_tells_nothing_is_noticed_and_renewed(
    alpaca: AlpacaRig, listener: Process
) -> None:
    """Its connection lives and answers pings; only others' books show that something happened."""
    wait_for(lambda: alpaca.peer.tell("listeners") == 1, SOON, "the stream")
    alpaca.peer.tell("set", mute=True)
    part = working(alpaca)
    opened = timezone.now()
    wait_for(
        lambda: timezone.now() > opened + MUTE_AFTER,
        2 * MUTE_AFTER.total_seconds(),
        "the seconds whose executions may have come before the stream",
    )
    alpaca.fill(part.client_order_id, 100, PRICE)
    seen = alpaca.find(ticket_of(part))
    assert seen is not None
    (execution,) = seen.executions
    Fill.objects.create(
        order=part.order,
        slice=part,
        broker="alpaca",
        account="default",
        execution_id=execution.execution_id,
        quantity=100,
        price=PRICE,
        executed_at=execution.executed_at,
    )
    wait_for(lambda: "connecting anew" in listener.output(), 15, "the muteness to be noticed")


def test_a_connection_that_hangs_is_noticed_without_any_order(
    alpaca: AlpacaRig, listener: Process
) -> None:
    alpaca.peer.freeze()
    try:
        wait_for(lambda: state_of(listener) == "connecting", 25, "the silence to be noticed")
    finally:
        alpaca.peer.thaw()
    wait_for(lambda: state_of(listener) == "listening", 40, "the listener to listen again")


def test_an_alpaca_that_hangs_is_known_within_five_seconds_and_its_return_too(
    alpaca: AlpacaRig, listener: Process
) -> None:
    well_again(alpaca)
    alpaca.peer.freeze()
    try:
        assert "answer" in trouble_of(alpaca)
    finally:
        alpaca.peer.thaw()
    well_again(alpaca)


@pytest.mark.parametrize("status", [401, 503])
def test_an_alpaca_that_answers_nothing_usable_is_known_within_five_seconds(
    alpaca: AlpacaRig, listener: Process, status: int
) -> None:
    well_again(alpaca)
    alpaca.peer.tell("fault", method="GET", path="/v2", status=status, body="<html>", times=-1)
    assert str(status) in trouble_of(alpaca)
    alpaca.peer.tell("set", faults=[])
    well_again(alpaca)


def test_a_pause_that_alpaca_asks_for_is_known_of(alpaca: AlpacaRig, listener: Process) -> None:
    well_again(alpaca)
    alpaca.broker.budget.close(8, cancels=False)
    assert "429" in trouble_of(alpaca)
    well_again(alpaca)


def trouble_of(rig: AlpacaRig) -> str:
    began = monotonic()
    wait_for(lambda: trouble(live(rig)), 30, "the trouble to be known")
    assert monotonic() - began < WITHIN
    seen = trouble(live(rig))
    assert seen is not None
    return seen.reason


def well_again(rig: AlpacaRig) -> None:
    wait_for(lambda: trouble(live(rig)) is None, 40, "the trouble to end")


def live(rig: AlpacaRig) -> Config:
    return rig.config.model_copy(update={"trading_mode": "live", "live_broker": "alpaca"})


def test_a_second_listener_stands_by_and_takes_over(
    alpaca: AlpacaRig, listener: Process, listening: Listening
) -> None:
    assert listening.stack is not None
    second = listening.stack.start(
        "second", processes.manage("listen_alpaca"), **environment(alpaca.peer.url)
    )
    wait_for(lambda: state_of(second) == "standing by", 30, "the second to stand by")
    assert alpaca.peer.tell("listeners") == 1
    listener.kill()
    wait_for(lambda: state_of(second) == "listening", 30, "the second to listen")
    part = working(alpaca)
    alpaca.fill(part.client_order_id, 100, PRICE)
    becomes(part, SliceStatus.FILLED, 100)


def test_it_stops_when_told_to(listener: Process) -> None:
    assert listener.stop(15) == 0


def test_what_happened_before_the_start_is_read_at_the_start(
    alpaca: AlpacaRig, empty_stack: Stack
) -> None:
    part = working(alpaca)
    alpaca.fill(part.client_order_id, 100, PRICE)
    start(alpaca, empty_stack)
    becomes(part, SliceStatus.FILLED, 100)


def test_without_alpaca_as_the_broker_it_says_what_to_set(empty_stack: Stack) -> None:
    done = empty_stack.manage("listen_alpaca")
    assert done.returncode == 1
    assert "LIVE_BROKER=alpaca" in done.stderr


def ticket_of(part: Slice) -> Ticket:
    return Ticket(part.client_order_id, "default", "AAPL", "BUY", 100, Decimal(PRICE))
