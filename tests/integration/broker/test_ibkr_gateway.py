"""The process that owns the socket: killed, frozen, doubled, flooded."""

import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from django.db import connection, connections
from pytest_django import DjangoDbBlocker

from deepstack.config_ibkr import Ibkr
from execution.broker.base import (
    BrokerOrder,
    BrokerUnavailable,
    DuplicateOrder,
    OutcomeUnknown,
    Ticket,
)
from execution.broker.ibkr.adapter import InteractiveBrokers
from execution.broker.ibkr.gateway import LEASE
from execution.broker.ibkr.outbox import ORDERS_AT_ONCE
from execution.domain.lifecycle import SliceStatus
from execution.models import IbkrGateway, IbkrOrder
from tests.brokers.ibkr_rig import IbkrRig, context, rig, running_context
from tests.brokers.rig import PATIENCE, PRICE, executed
from tests.stack import wait_for

pytestmark = pytest.mark.any_date

__all__ = ["context", "rig"]

PLACE, CANCEL = "3", "4"
TWS_LIMIT = 50  # messages in any second
# Those that were on their way, and those that left while the wish was being written.
MOST_OVERTAKING = 2 * ORDERS_AT_ONCE


def in_a_thread(work: Callable[[], object]) -> Future[object]:
    def run() -> object:
        try:
            return work()
        finally:
            connections.close_all()

    return ThreadPoolExecutor(1).submit(run)


def serves(pid: int) -> bool:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", [pid])
        row: tuple[bool] = cursor.fetchone()
        return row[0]


def test_a_second_copy_refuses_to_start_and_names_the_first(rig: IbkrRig) -> None:
    first = rig.context.gateways[-1]
    second = rig.context.stack.manage("ibkr_gateway")
    assert second.returncode == 1
    assert f"already served by process {rig.context.row.process}" in second.stderr
    assert str(first.pid) in second.stderr
    assert rig.context.row.state == IbkrGateway.State.READY


def test_a_gateway_that_is_asked_to_stop_stops_and_its_successor_takes_over(rig: IbkrRig) -> None:
    ticket = rig.placed()
    assert rig.context.gateways[-1].stop() == 0
    assert rig.context.row.state == IbkrGateway.State.DOWN
    with pytest.raises(BrokerUnavailable):
        rig.broker.place(rig.ticket(), now=rig.now())
    rig.context.start()
    rig.broker.cancel(ticket.client_order_id, now=rig.now())
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")


def test_killed_between_send_and_acknowledgement_the_order_is_found_and_not_sent_again(
    rig: IbkrRig,
) -> None:
    ticket = rig.ticket()
    rig.lose_answer()
    outcome = in_a_thread(lambda: rig.broker.place(ticket, now=rig.now()))
    wait_for(lambda: rig.accepted(ticket.client_order_id), PATIENCE, "the order to arrive")
    rig.context.gateways[-1].kill()
    assert isinstance(outcome.exception(PATIENCE), OutcomeUnknown)
    rig.context.start()
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.WORKING, "working")
    with pytest.raises(DuplicateOrder):
        rig.broker.place(ticket, now=rig.now())
    assert rig.accepted(ticket.client_order_id) == 1


def test_killed_after_the_order_was_lost_it_is_sent_again_only_once_it_is_surely_absent(
    rig: IbkrRig,
) -> None:
    ticket = rig.ticket()
    rig.lose_request()
    before = len(rig.tws.log(3))
    outcome = in_a_thread(lambda: rig.broker.place(ticket, now=rig.now()))
    wait_for(lambda: len(rig.tws.log(3)) > before, PATIENCE, "the placement to leave")
    rig.context.gateways[-1].kill()
    assert isinstance(outcome.exception(PATIENCE), OutcomeUnknown)
    rig.context.start()
    assert len(rig.tws.log(3)) == before + 1, "a restart sends nothing blind"
    assert settle(rig, ticket).status == SliceStatus.WORKING
    assert rig.accepted(ticket.client_order_id) == 1


def test_what_happens_while_the_gateway_is_away_is_known_when_it_is_back(rig: IbkrRig) -> None:
    filled, part, cancelled, corrected, quiet = (rig.placed() for _ in range(5))
    rig.fill(corrected.client_order_id, 40, PRICE)
    rig.sees_filled(corrected, 40)
    rig.context.gateways[-1].kill()
    rig.fill(filled.client_order_id, 60, PRICE)
    rig.fill(filled.client_order_id, 40, PRICE)
    rig.fill(part.client_order_id, 30, PRICE)
    rig.fill(cancelled.client_order_id, 20, PRICE)
    rig.tws.do("end", ref=cancelled.client_order_id, status="Cancelled")
    rig.correct(corrected.client_order_id, 39, PRICE)
    rig.context.start()
    expected = {
        filled: (SliceStatus.FILLED, 100),
        part: (SliceStatus.WORKING, 30),
        cancelled: (SliceStatus.CANCELLED, 20),
        corrected: (SliceStatus.WORKING, 39),
        quiet: (SliceStatus.WORKING, 0),
    }
    for ticket, (status, shares) in expected.items():
        seen = rig.find(ticket)
        assert seen is not None
        assert (seen.status, seen.filled_quantity, executed(seen)) == (status, shares, shares)


def test_an_order_that_a_frozen_gateway_does_not_take_up_is_withdrawn_for_good(
    rig: IbkrRig,
) -> None:
    rig.placed()
    ticket = rig.ticket()
    gateway = rig.context.gateways[-1]
    gateway.signal(signal.SIGSTOP)
    try:
        with pytest.raises(BrokerUnavailable):
            rig.broker.place(ticket, now=rig.now())
    finally:
        gateway.signal(signal.SIGCONT)
    rig.context.ready()
    rig.sees_none(ticket)
    rig.placed()
    assert rig.accepted(ticket.client_order_id) == 0


def test_an_order_whose_worker_died_is_not_sent(rig: IbkrRig) -> None:
    ticket = rig.ticket()
    gateway = rig.context.gateways[-1]
    gateway.signal(signal.SIGSTOP)
    try:
        worker = in_a_thread(lambda: rig.broker._queue(ticket, rig.context.row))  # and dies
        worker.result(PATIENCE)
        waiter = IbkrOrder.objects.get(client_order_id=ticket.client_order_id).waiter_pid
        # PostgreSQL notices a closed connection a moment later.
        wait_for(lambda: not serves(waiter), PATIENCE, "the worker's session to end")
    finally:
        gateway.signal(signal.SIGCONT)
    rig.context.ready()
    rig.sees_none(ticket)
    assert rig.accepted(ticket.client_order_id) == 0


def test_an_order_that_nobody_waits_for_any_more_is_not_sent_late(rig: IbkrRig) -> None:
    ticket = rig.ticket()
    gateway = rig.context.gateways[-1]
    gateway.signal(signal.SIGSTOP)
    try:
        rig.broker._queue(ticket, rig.context.row)
        row = IbkrOrder.objects.get(client_order_id=ticket.client_order_id)
        wait_for(lambda: rig.now() > row.valid_until_real, PATIENCE, "its time to pass")
    finally:
        gateway.signal(signal.SIGCONT)
    rig.context.ready()
    rig.sees_none(ticket)
    assert rig.accepted(ticket.client_order_id) == 0


def test_a_cancel_asked_for_while_the_gateway_is_away_is_sent_when_it_is_back(
    rig: IbkrRig,
) -> None:
    ticket = rig.placed()
    rig.context.gateways[-1].kill()
    with suppress(BrokerUnavailable):
        rig.broker.cancel(ticket.client_order_id, now=rig.now())
    rig.context.start()
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")


def test_a_lost_database_connection_loses_no_fill_and_no_lease(rig: IbkrRig) -> None:
    ticket = rig.placed()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND classid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [LEASE],
        )
    rig.fill(ticket.client_order_id, 100, PRICE)
    assert rig.sees_filled(ticket, 100).status == SliceStatus.FILLED
    assert rig.context.gateways[-1].alive
    assert rig.context.stack.manage("ibkr_gateway").returncode == 1, "the lease was taken again"


def test_a_message_that_cannot_be_booked_holds_up_no_other(rig: IbkrRig) -> None:
    odd, plain = rig.placed(), rig.placed()
    rig.tws.do("fill", ref=odd.client_order_id, quantity=40, price="1234567890123456.5")
    rig.fill(plain.client_order_id, 100, PRICE)
    assert rig.sees_filled(plain, 100).status == SliceStatus.FILLED
    rig.sees(odd, lambda seen: seen.filled_quantity == 40, "known to miss an execution")


def test_a_burst_of_orders_stays_below_the_limit_and_cancels_go_first(rig: IbkrRig) -> None:
    patient = rig.context.config.model_copy(update={"ibkr": Ibkr(pick_up_seconds=60)})
    broker = InteractiveBrokers(config=patient)
    tickets = [rig.ticket() for _ in range(300)]
    working = [rig.placed() for _ in range(10)]
    began = time.monotonic()
    wished: list[float] = []
    with ThreadPoolExecutor(12) as pool:
        placed = [pool.submit(broker.place, each, now=rig.now()) for each in tickets]
        wait_for(lambda: sum(p.done() for p in placed) > 60, 30, "the burst to be under way")
        for ticket in working:
            wished.append(time.monotonic())
            broker.cancel(ticket.client_order_id, now=rig.now())
        assert all(each.result().status == SliceStatus.WORKING for each in placed)
        pool.map(lambda _: connections.close_all(), range(12))
    sent = [line for line in rig.tws.log() if line["at"] > began]
    assert most_in_a_second(line["at"] for line in sent) <= TWS_LIMIT
    assert not [line for line in rig.tws.log(4, "out") if line["fields"][3] == "100"]
    cancels = [line["at"] for line in sent if line["fields"][0] == CANCEL]
    placements = [line["at"] for line in sent if line["fields"][0] == PLACE]
    for asked, left in zip(wished, cancels, strict=True):
        assert left - asked < 5
        overtook = sum(asked < at < left for at in placements)
        assert overtook <= MOST_OVERTAKING, "a cancel waits for a few placements at most"


def most_in_a_second(moments: Iterable[float]) -> int:
    moments = sorted(moments)
    return max(sum(start <= each < start + 1 for each in moments) for start in moments)


@pytest.fixture
def fresh(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[IbkrRig]:
    """A TWS with an empty book and a gateway of its own."""
    with django_db_blocker.unblock(), running_context(tmp_path) as context:
        context.start()
        yield IbkrRig(context)


def test_torture_every_order_is_placed_once_and_every_share_is_known(fresh: IbkrRig) -> None:
    """Requests and answers get lost, connections break, and the gateway is killed again and
    again, while two workers place orders as the service does."""
    rig, rng = fresh, random.Random(7)
    faults = ["lose", "silent", "cut_after", "cut_before"]
    rig.tws.do("set", fill_seconds=0.2, fill_parts=3)
    for _ in range(1000):
        rig.tws.do("once", **({rng.choice(faults): True} if rng.random() < 0.04 else {}))
    over = Event()
    tickets: list[Ticket] = []

    def worker() -> None:
        while not over.is_set():
            tickets.append(rig.ticket())
            settle(rig, tickets[-1])

    workers = [in_a_thread(worker) for _ in range(2)]
    kills = 0
    while kills < 3 or len(tickets) < 20:
        time.sleep(rng.uniform(2.5, 4.5))  # what is killed when is the test
        rig.context.gateways[-1].kill()
        rig.context.start()
        kills += 1
    over.set()
    for each in workers:
        each.result(60)
    for ticket in tickets:
        assert rig.accepted(ticket.client_order_id) == 1
        wait_for(partial(filled, rig, ticket), PATIENCE, "the exchange to fill it")
        assert rig.sees_filled(ticket, 100).status == SliceStatus.FILLED
    ids = [order["order_id"] for order in rig.tws.do("orders")]
    assert len(ids) == len(set(ids)) == len(tickets), "an order id is one order's"


def filled(rig: IbkrRig, ticket: Ticket) -> bool:
    order = rig.tws.do("order", ref=ticket.client_order_id)
    done: bool = order["filled"] == order["quantity"]
    return done


def settle(rig: IbkrRig, ticket: Ticket) -> BrokerOrder:
    """Place as the service does: unknown is asked about, and only "never arrived" is sent again."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(BrokerUnavailable, OutcomeUnknown, DuplicateOrder):
            seen = rig.find(ticket)
            return seen if seen is not None else rig.broker.place(ticket, now=rig.now())
        time.sleep(0.05)
    pytest.fail(f"{ticket.client_order_id} is not settled")
