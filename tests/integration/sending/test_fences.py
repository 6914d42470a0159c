"""What keeps one slice from being sent twice, and its shares from being planned twice."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from execution import context as contexts
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import SliceStatus
from execution.entry import order_controls
from execution.market import clock, trading_halts
from execution.models import MarketHalt, OrderEvent, PaperOrder, Slice
from execution.orders.locks import locked, sole_sender
from execution.risk import exposure, kill_switch, limits
from execution.sending import delivery, outcomes, resolver, slices
from tests.integration.order_steps import new_order, quote_at, send, working
from tests.integration.sending.claims import (
    due_in,
    elsewhere,
    gapped,
    intended,
    lease_over,
    sent,
    slice_of,
)
from tests.stack import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_ready_early_leaves_at_its_moment() -> None:
    send(due_in(0).pk, contexts.default())  # what is asked for the first time takes longer
    part = due_in(0.085)
    send(part.pk, contexts.default())

    sent = Slice.objects.get(pk=part.pk)
    taken = PaperOrder.objects.get(client_order_id=sent.client_order_id)
    assert sent.sent_at is not None
    assert sent.lateness_ms is not None
    assert sent.sent_at >= part.due_at
    assert taken.accepted_at >= part.due_at
    assert sent.lateness_ms >= 0


@pytest.fixture(autouse=True)
def halts_of_this_test() -> Iterator[None]:
    """The process holds them for a second; the next test may begin within it."""
    yield
    trading_halts.stored.cache_clear()


@pytest.fixture
def slow_clock() -> Iterator[None]:
    """Trading time takes fifty times as long as real time."""
    clock.start_clock(timezone.now(), 0.02)
    yield
    clock.forget()


@pytest.mark.usefixtures("slow_clock")
def test_a_halt_that_comes_while_a_ready_slice_waits_is_seen() -> None:
    part = due_in(0.04)
    rows = Slice.objects.filter(pk=part.pk)

    def begin() -> None:
        send(part.pk, contexts.default())
        connection.close()

    sender = threading.Thread(target=begin)
    sender.start()
    wait_for(lambda: rows.filter(status=SliceStatus.SENDING).exists(), 10, "the slice to be ready")
    kill_switch.set_state(scope="SYMBOL", key="AAPL", state="HALTED", by="ann", reason="news")
    halted = contexts.default().now()
    sender.join()

    assert halted < part.due_at
    assert rows.get().status == SliceStatus.PLANNED
    assert not PaperOrder.objects.filter(client_order_id=part.client_order_id).exists()


def at_its_moment(part: Slice, intent: slices.Intent) -> Slice:
    """The slice, locked and checked before its moment, which is its `due_at`."""
    leaving = delivery.Leaving(intent, contexts.default(), part.due_at)
    delivery.transmit_together([leaving], outcomes.record_alone)
    return slice_of(intent)


def test_a_halt_that_begins_between_the_final_check_and_the_moment_is_seen() -> None:
    part = due_in(0.5)
    begins = part.due_at - timedelta(milliseconds=1)
    MarketHalt.objects.create(symbol="AAPL", start_at=begins, reason="news pending")
    trading_halts.stored.cache_clear()
    intent = slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at)
    assert intent is not None

    held = at_its_moment(part, intent)

    assert (sent(intent), held.status, held.sent_at) == (0, SliceStatus.PLANNED, None)
    assert held.reason == f"SYMBOL_HALTED: since={exchange_time(begins)}, reason=news pending"


def test_a_request_that_is_held_up_beyond_its_window_does_not_leave() -> None:
    part = due_in(0.2)
    intent = slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at)
    assert intent is not None
    intent.part.end_at = part.due_at

    held = at_its_moment(part, intent)

    assert (sent(intent), held.sent_at) == (0, None)
    assert held.reason == "WINDOW_OVER"


def test_a_task_that_comes_far_too_early_sends_nothing() -> None:
    part = due_in(0.5)
    send(part.pk, contexts.default())

    assert Slice.objects.get(pk=part.pk).attempt == 0


def test_a_slice_that_never_arrived_is_sent_again_under_its_own_id() -> None:
    intent = intended(new_order())
    lease_over(intent)
    resolver.resolve(intent.part.pk, contexts.default())
    assert sent(intent) == 1
    assert slice_of(intent).attempt == 2


def test_in_a_halt_of_the_exchange_a_slice_that_never_arrived_waits_in_the_plan() -> None:
    order = new_order()
    intent = intended(order)
    lease_over(intent)
    begun = contexts.default().now() - timedelta(minutes=1)
    MarketHalt.objects.create(symbol="AAPL", start_at=begun, reason="news pending")
    trading_halts.stored.cache_clear()  # as if a second had passed
    resolver.resolve(intent.part.pk, contexts.default())
    part = slice_of(intent)
    assert (sent(intent), part.status, working(order)) == (0, SliceStatus.PLANNED, 0)
    assert part.reason.startswith("SYMBOL_HALTED: since=")
    MarketHalt.objects.update(end_at=contexts.default().now())
    trading_halts.stored.cache_clear()
    again = slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at)
    assert again is not None


def test_a_slice_that_is_sent_again_is_two_messages() -> None:
    intent = intended(new_order())
    assert exposure.recent_messages(intent.ticket.account) == 1
    lease_over(intent)
    limits.set_limit(scope="SYSTEM", key="", field="max_messages_per_minute", value=1, by="ann")
    resolver.resolve(intent.part.pk, contexts.default())
    assert sent(intent) == 0, "a repetition is held to the limit, too"
    assert exposure.recent_messages(intent.ticket.account) == 2


def test_within_its_lease_nobody_asks() -> None:
    intent = intended(new_order())
    resolver.resolve(intent.part.pk, contexts.default())
    assert sent(intent) == 0
    assert slice_of(intent).status == SliceStatus.SENDING


def test_the_shares_of_a_dead_order_that_never_left_are_given_up() -> None:
    order = new_order()
    intent = intended(order)
    order_controls.cancel(order.pk, by="test", now=contexts.default().now())
    lease_over(intent)
    resolver.resolve(intent.part.pk, contexts.default())
    assert (sent(intent), slice_of(intent).status) == (0, SliceStatus.SKIPPED)
    order.refresh_from_db()
    assert order.status == "CANCELLED"


def test_while_its_sender_lives_nothing_is_concluded_from_silence() -> None:
    """A worker that was frozen after its final check may still send."""
    order = new_order()
    intent = intended(order)
    order_controls.cancel(order.pk, by="test", now=contexts.default().now())
    lease_over(intent)
    with elsewhere(lambda: sole_sender(intent.part.pk)):
        resolver.resolve(intent.part.pk, contexts.default())
    assert slice_of(intent).status == SliceStatus.SENDING
    assert working(order) == intent.ticket.quantity


def test_two_processes_never_send_the_same_slice_at_once() -> None:
    intent = intended(new_order())
    with elsewhere(lambda: sole_sender(intent.part.pk)):
        delivery.transmit(intent, contexts.default())
    assert sent(intent) == 0


def test_a_worker_that_wakes_after_its_lease_sends_nothing() -> None:
    intent = intended(new_order())
    lease_over(intent)
    delivery.transmit(intent, contexts.default())
    assert sent(intent) == 0


def test_a_commit_waits_for_the_disk_unless_it_need_not() -> None:
    def waits() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            (setting,) = cursor.fetchone()
        return str(setting)

    order = new_order()
    with locked(order.pk):
        usual = waits()
    with locked(order.pk, durable=False):
        unhurried = waits()
    assert (usual, unhurried, waits()) == ("on", "off", "on")


def test_the_outcome_of_a_claim_that_was_taken_over_is_not_written() -> None:
    intent = intended(new_order())
    lease_over(intent)
    resolver.resolve(intent.part.pk, contexts.default())
    before = slice_of(intent)
    late = outcomes.NotSent("too late")
    outcomes.record(intent.part.order_id, intent.part.pk, intent.token, late, contexts.default())
    assert slice_of(intent).status == before.status


def test_missed_slices_leave_with_the_gap_between_them_or_are_caught_up_by_later_ones() -> None:
    order = new_order(quantity=1_000, parts=10)
    parts = list(order.slices.order_by("sequence"))
    # Slices 0 and 1 come due together, after an outage that 0 and 1 have both survived.
    Slice.objects.filter(pk=parts[0].pk).update(end_at=parts[2].due_at)
    now = parts[1].due_at
    context = gapped(30)

    first = slices.claim(parts[0], quote_at(now), context, now=now)
    assert first is not None
    assert slices.claim(parts[1], quote_at(now), context, now=now) is None
    waiting = order.slices.get(sequence=1)
    assert waiting.status == SliceStatus.PLANNED
    assert waiting.due_at == now + timedelta(seconds=30)
    told = OrderEvent.objects.filter(order=order, kind="SLICE_DEFERRED").get()
    assert told.data["reason"] == "MIN_GAP"

    later = now + timedelta(seconds=31)
    assert slices.claim(parts[1], quote_at(later), context, now=later) is not None


def test_after_an_outage_what_was_missed_is_spread_over_what_is_left() -> None:
    order = new_order(quantity=1_000, parts=10)
    context = contexts.default()
    parts = list(order.slices.order_by("sequence"))
    for part in parts[:5]:
        assert slices.claim(part, quote_at(parts[5].due_at), context, now=parts[5].due_at) is None
    assert set(order.slices.filter(sequence__lt=5).values_list("status", "reason")) == {
        (SliceStatus.SKIPPED, "MISSED")
    }
    sizes = []
    for part in parts[5:]:
        intent = slices.claim(part, quote_at(part.due_at), context, now=part.due_at)
        assert intent is not None
        sizes.append(intent.ticket.quantity)
    assert sizes == [200] * 5
    assert Decimal(sum(sizes)) == order.quantity
