"""What keeps one slice from being sent twice, and its shares from being planned twice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from execution import context as desks
from execution.broker.base import (
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    OutcomeUnknown,
)
from execution.context import Context
from execution.domain.lifecycle import SliceStatus
from execution.entry import order_controls
from execution.market import clock
from execution.models import Order, OrderEvent, PaperOrder, RestrictedSymbol, Slice
from execution.orders.locks import locked, sole_sender
from execution.risk import kill_switch
from execution.sending import outcomes, resolver, slices
from execution.sending.slices import Intent
from tests.integration.desk_work import claim, hear, new_order, quote_at, report, working
from tests.stack import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def elsewhere(holding: Callable[[], "contextmanager[bool]"]) -> Iterator[None]:
    """Another process, as far as PostgreSQL can tell, is inside `holding` while the block runs."""
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with holding():
            inside.set()
            leave.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    yield
    leave.set()
    thread.join()


def intended(order: Order) -> Intent:
    """The first slice of the order, claimed by a worker that then says nothing more."""
    intent = claim(order.slices.get(sequence=0))
    assert intent is not None
    return intent


def lease_over(intent: Intent) -> None:
    """As if the lease and all settling times had passed."""
    past = timezone.now() - timedelta(seconds=1)
    Slice.objects.filter(pk=intent.part.pk).update(lease_until_wall=past, check_wall=past)


def slice_of(intent: Intent) -> Slice:
    return Slice.objects.select_related("order").get(pk=intent.part.pk)


def sent(intent: Intent) -> int:
    return PaperOrder.objects.filter(client_order_id=intent.ticket.client_order_id).count()


def due_in(seconds: float) -> Slice:
    part = new_order(parts=1).slices.get()
    part.due_at = desks.default().now() + timedelta(seconds=seconds)
    part.save(update_fields=["due_at"])
    return part


def test_what_is_ready_early_leaves_at_its_moment() -> None:
    slices.send(due_in(0).pk, desks.default())  # what is asked for the first time takes longer
    part = due_in(0.085)
    slices.send(part.pk, desks.default())

    sent = Slice.objects.get(pk=part.pk)
    taken = PaperOrder.objects.get(client_order_id=sent.client_order_id)
    assert sent.sent_at is not None
    assert sent.lateness_ms is not None
    assert sent.sent_at >= part.due_at
    assert taken.accepted_at >= part.due_at
    assert sent.lateness_ms >= 0


@pytest.fixture
def slow_clock() -> Iterator[None]:
    """Trading time takes fifty times as long as the wall clock's."""
    clock.start_clock(timezone.now(), 0.02)
    yield
    clock.forget()


@pytest.mark.usefixtures("slow_clock")
def test_a_halt_that_comes_while_a_ready_slice_waits_is_seen() -> None:
    part = due_in(0.04)
    rows = Slice.objects.filter(pk=part.pk)

    def send() -> None:
        slices.send(part.pk, desks.default())
        connection.close()

    sender = threading.Thread(target=send)
    sender.start()
    wait_for(lambda: rows.filter(status=SliceStatus.SENDING).exists(), 10, "the slice to be ready")
    kill_switch.set_state(scope="SYMBOL", key="AAPL", state="HALTED", by="ann", reason="news")
    halted = desks.default().now()
    sender.join()

    assert halted < part.due_at
    assert rows.get().status == SliceStatus.PLANNED
    assert not PaperOrder.objects.filter(client_order_id=part.client_order_id).exists()


def test_a_bell_that_rings_far_too_early_is_not_heard() -> None:
    part = due_in(0.5)
    slices.send(part.pk, desks.default())

    assert Slice.objects.get(pk=part.pk).attempt == 0


def test_a_slice_that_never_arrived_is_sent_again_under_its_own_id() -> None:
    intent = intended(new_order())
    lease_over(intent)
    resolver.resolve(intent.part.pk, desks.default())
    assert sent(intent) == 1
    assert slice_of(intent).attempt == 2


def test_within_its_lease_nobody_asks() -> None:
    intent = intended(new_order())
    resolver.resolve(intent.part.pk, desks.default())
    assert sent(intent) == 0
    assert slice_of(intent).status == SliceStatus.SENDING


def test_the_shares_of_a_dead_order_that_never_left_are_given_up() -> None:
    order = new_order()
    intent = intended(order)
    order_controls.cancel(order.pk, by="test", now=desks.default().now())
    lease_over(intent)
    resolver.resolve(intent.part.pk, desks.default())
    assert (sent(intent), slice_of(intent).status) == (0, SliceStatus.SKIPPED)
    order.refresh_from_db()
    assert order.status == "CANCELLED"


def test_while_its_sender_lives_nothing_is_concluded_from_silence() -> None:
    """A worker that was frozen after its final check may still send."""
    order = new_order()
    intent = intended(order)
    order_controls.cancel(order.pk, by="test", now=desks.default().now())
    lease_over(intent)
    with elsewhere(lambda: sole_sender(intent.part.pk)):
        resolver.resolve(intent.part.pk, desks.default())
    assert slice_of(intent).status == SliceStatus.SENDING
    assert working(order) == intent.ticket.quantity


def test_two_processes_never_send_the_same_slice_at_once() -> None:
    intent = intended(new_order())
    with elsewhere(lambda: sole_sender(intent.part.pk)):
        slices.deliver(intent, desks.default())
    assert sent(intent) == 0


def test_a_worker_that_wakes_after_its_lease_sends_nothing() -> None:
    intent = intended(new_order())
    lease_over(intent)
    slices.deliver(intent, desks.default())
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
    resolver.resolve(intent.part.pk, desks.default())
    before = slice_of(intent)
    late = outcomes.NotSent("too late")
    outcomes.record(intent.part.order_id, intent.part.pk, intent.token, late, desks.default())
    assert slice_of(intent).status == before.status


def unknown(order: Order) -> Intent:
    """The first slice of the order, sent a moment ago to a broker whose answer got lost."""
    intent = intended(order)
    lost = outcomes.Ambiguous("OutcomeUnknown: the answer got lost")
    outcomes.record(order.pk, intent.part.pk, intent.token, lost, desks.default())
    assert slice_of(intent).status == SliceStatus.UNKNOWN
    return intent


def restrict() -> None:
    RestrictedSymbol.objects.create(symbol="AAPL", reason="news", changed_by="ann")


class Unproving:
    """A broker at the outer edge that does not find what may still be on its way to it."""

    name = "paper"
    natives: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.placed = 0

    def find(self, *_: object, **__: object) -> None:
        return None

    def never_arrived(self, client_order_id: str) -> bool:
        return False

    def place(self, *_: object, **__: object) -> None:
        self.placed += 1
        raise OutcomeUnknown("time-out")


def test_what_surely_never_arrived_and_may_not_leave_again_is_free_at_once() -> None:
    """Long before its lease is over: the paper exchange's silence is a proof."""
    order = new_order()
    intent = unknown(order)
    restrict()
    resolver.resolve(intent.part.pk, desks.default())
    part = slice_of(intent)
    assert (part.status, sent(intent), working(order)) == (SliceStatus.PLANNED, 0, 0)
    assert "SYMBOL_RESTRICTED" in part.reason
    again = slices.claim(part, quote_at(part.due_at), desks.default(), now=part.due_at)
    assert again is None  # looked at anew, its shares are left to the slices after it
    assert slice_of(intent).status == SliceStatus.SKIPPED


@pytest.mark.parametrize("state", ["HALTED", "REDUCING"])
def test_in_a_halt_a_definite_absence_waits_like_a_slice_that_has_not_left(state: str) -> None:
    order = new_order(parts=1)
    intent = unknown(order)
    kill_switch.set_state(scope="SYMBOL", key="AAPL", state=state, by="ann", reason="news")
    resolver.resolve(intent.part.pk, desks.default())
    order.refresh_from_db()
    assert (slice_of(intent).status, working(order)) == (SliceStatus.PLANNED, 0)
    assert order.status == "WORKING"


def test_a_silence_that_proves_nothing_keeps_being_asked_about_until_the_lease_is_over() -> None:
    broker = Unproving()
    desk = replace(desks.default(), broker=broker)  # type: ignore[arg-type]
    order = new_order()
    intent = unknown(order)
    restrict()
    lease = slice_of(intent).lease_until_wall
    for checks in (1, 2, 3):
        resolver.resolve(intent.part.pk, desk)
        part = slice_of(intent)
        assert (part.status, part.checks) == (SliceStatus.UNKNOWN, checks)
        # A repetition that did not leave keeps nobody waiting for it.
        assert part.lease_until_wall == lease
    assert working(order) == intent.ticket.quantity
    lease_over(intent)
    resolver.resolve(intent.part.pk, desk)
    assert (slice_of(intent).status, working(order), broker.placed) == (SliceStatus.PLANNED, 0, 0)


def test_a_repetition_that_may_have_left_is_waited_for_anew() -> None:
    broker = Unproving()
    desk = replace(desks.default(), broker=broker)  # type: ignore[arg-type]
    intent = unknown(new_order())
    lease_over(intent)
    resolver.resolve(intent.part.pk, desk)
    part = slice_of(intent)
    assert (part.status, broker.placed) == (SliceStatus.UNKNOWN, 1)
    assert part.lease_until_wall is not None
    assert part.lease_until_wall > timezone.now()


def test_of_two_that_heard_of_the_absence_one_sends_again() -> None:
    intent = unknown(new_order())
    heard = slice_of(intent).claim_token
    slices.send_again(
        intent.part.order_id, intent.part.pk, desks.default(), after=heard, absent=True
    )
    first = slice_of(intent)
    slices.send_again(
        intent.part.order_id, intent.part.pk, desks.default(), after=heard, absent=True
    )
    after = slice_of(intent)
    assert (sent(intent), after.attempt, after.status) == (1, first.attempt, first.status)


def test_while_another_sends_a_denied_repetition_concludes_nothing() -> None:
    intent = replace(intended(new_order()), again=True, absent=True)
    with elsewhere(lambda: sole_sender(intent.part.pk)):
        slices.deliver(intent, desks.default())
    assert slice_of(intent).status == SliceStatus.UNKNOWN


class Answers:
    """A broker at the outer edge that answers every order in one way."""

    name = "paper"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def place(self, *_: object, **__: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "first", "again"),
    [
        (BrokerUnavailable("refused"), SliceStatus.PLANNED, SliceStatus.UNKNOWN),
        (BrokerRejected("429", "", transient=True), SliceStatus.PLANNED, SliceStatus.UNKNOWN),
        (BrokerRejected("PRICE", ""), SliceStatus.REJECTED, SliceStatus.REJECTED),
        (OutcomeUnknown("time-out"), SliceStatus.UNKNOWN, SliceStatus.UNKNOWN),
    ],
)
def test_only_a_first_attempt_can_be_known_not_to_have_arrived(
    error: Exception, first: SliceStatus, again: SliceStatus
) -> None:
    """What an earlier request did is not told by the failure of a later one, unless it is known
    that it did nothing."""
    usual = desks.default()
    desk = replace(usual, broker=Answers(error))  # type: ignore[arg-type]
    cases = ((False, False, first), (True, False, again), (True, True, first))
    for repeated, absent, expected in cases:
        intent = replace(intended(new_order()), again=repeated, absent=absent)
        slices.deliver(intent, desk)
        assert slice_of(intent).status == expected


def test_what_a_cancelled_order_could_send_again_is_given_up() -> None:
    order = new_order()
    intent = intended(order)
    order_controls.cancel(order.pk, by="test", now=desks.default().now())
    busy = outcomes.NotSent("429", retry=True)
    outcomes.record(order.pk, intent.part.pk, intent.token, busy, desks.default())
    order.refresh_from_db()
    assert (slice_of(intent).status, order.status) == (SliceStatus.SKIPPED, "CANCELLED")


def gapped(seconds: float) -> Context:
    usual = desks.default()
    scheduling = usual.config.execution.scheduling.model_copy(update={"min_gap_seconds": seconds})
    execution = usual.config.execution.model_copy(update={"scheduling": scheduling})
    return replace(usual, config=usual.config.model_copy(update={"execution": execution}))


def test_news_that_repeat_themselves_put_no_question_off() -> None:
    intent = intended(new_order())
    hear(intent, report(intent, SliceStatus.WORKING))
    soon = timezone.now() + timedelta(seconds=1)
    Slice.objects.filter(pk=intent.part.pk).update(
        status=SliceStatus.CANCELLING, check_wall=soon, checks=0
    )
    for _ in range(5):
        hear(intent, report(intent, SliceStatus.WORKING))
    part = slice_of(intent)
    assert (part.check_wall, part.checks) == (soon, 0)


class Forgetful:
    """A broker at the outer edge that says yes to a cancel and goes on working the order."""

    name = "paper"

    def __init__(self, order: BrokerOrder) -> None:
        self.order, self.cancels = order, 0

    def find(self, *_: object, **__: object) -> BrokerOrder:
        return self.order

    def cancel(self, *_: object, **__: object) -> None:
        self.cancels += 1


def test_a_lost_cancel_is_asked_for_again_and_each_answer_puts_the_next_one_off() -> None:
    intent = intended(new_order())
    seen = report(intent, SliceStatus.WORKING)
    hear(intent, seen)
    broker = Forgetful(seen)
    desk = replace(desks.default(), broker=broker)  # type: ignore[arg-type]
    past = timezone.now() - timedelta(seconds=1)
    cancelling = Slice.objects.filter(pk=intent.part.pk)
    cancelling.update(status=SliceStatus.CANCELLING, check_wall=past, checks=0)
    for asked in (1, 2):
        resolver.resolve(intent.part.pk, desk)
        part = slice_of(intent)
        assert (broker.cancels, part.checks) == (asked, asked)
        assert part.check_wall is not None
        assert part.check_wall > past


def test_missed_slices_leave_with_the_gap_between_them_or_are_caught_up_by_later_ones() -> None:
    order = new_order(quantity=1_000, parts=10)
    parts = list(order.slices.order_by("sequence"))
    # Slices 0 and 1 come due together, after an outage that 0 and 1 have both survived.
    Slice.objects.filter(pk=parts[0].pk).update(end_at=parts[2].due_at)
    now = parts[1].due_at
    desk = gapped(30)

    first = slices.claim(parts[0], quote_at(now), desk, now=now)
    assert first is not None
    assert slices.claim(parts[1], quote_at(now), desk, now=now) is None
    waiting = order.slices.get(sequence=1)
    assert waiting.status == SliceStatus.PLANNED
    assert waiting.due_at == now + timedelta(seconds=30)
    told = OrderEvent.objects.filter(order=order, kind="SLICE_DEFERRED").get()
    assert told.data["reason"] == "MIN_GAP"

    later = now + timedelta(seconds=31)
    assert slices.claim(parts[1], quote_at(later), desk, now=later) is not None


def test_after_an_outage_what_was_missed_is_spread_over_what_is_left() -> None:
    order = new_order(quantity=1_000, parts=10)
    desk = desks.default()
    parts = list(order.slices.order_by("sequence"))
    for part in parts[:5]:
        assert slices.claim(part, quote_at(parts[5].due_at), desk, now=parts[5].due_at) is None
    assert set(order.slices.filter(sequence__lt=5).values_list("status", "reason")) == {
        (SliceStatus.SKIPPED, "MISSED")
    }
    sizes = []
    for part in parts[5:]:
        intent = slices.claim(part, quote_at(part.due_at), desk, now=part.due_at)
        assert intent is not None
        sizes.append(intent.ticket.quantity)
    assert sizes == [200] * 5
    assert Decimal(sum(sizes)) == order.quantity
