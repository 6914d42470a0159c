"""A send whose answer got lost: what silence and absence prove, and what is sent again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from execution import context as contexts
from execution.broker.base import (
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    OutcomeUnknown,
)
from execution.domain.lifecycle import SliceStatus
from execution.entry import order_controls
from execution.models import Order, RestrictedSymbol, Slice
from execution.orders.locks import sole_sender
from execution.risk import kill_switch
from execution.sending import delivery, outcomes, resolver, slices
from execution.sending.slices import Intent
from tests.integration.order_steps import new_order, quote_at, receive, report, working
from tests.integration.sending.claims import elsewhere, intended, lease_over, sent, slice_of

pytestmark = pytest.mark.django_db(transaction=True)


def unknown(order: Order) -> Intent:
    """The first slice of the order, sent a moment ago to a broker whose answer got lost."""
    intent = intended(order)
    lost = outcomes.Ambiguous("OutcomeUnknown: the answer got lost")
    outcomes.record(order.pk, intent.part.pk, intent.token, lost, contexts.default())
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
    resolver.resolve(intent.part.pk, contexts.default())
    part = slice_of(intent)
    assert (part.status, sent(intent), working(order)) == (SliceStatus.PLANNED, 0, 0)
    assert "SYMBOL_RESTRICTED" in part.reason
    again = slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at)
    assert again is None  # looked at anew, its shares are left to the slices after it
    assert slice_of(intent).status == SliceStatus.SKIPPED


@pytest.mark.parametrize("state", ["HALTED", "REDUCING"])
def test_in_a_halt_a_definite_absence_waits_like_a_slice_that_has_not_left(state: str) -> None:
    order = new_order(parts=1)
    intent = unknown(order)
    kill_switch.set_state(scope="SYMBOL", key="AAPL", state=state, by="ann", reason="news")
    resolver.resolve(intent.part.pk, contexts.default())
    order.refresh_from_db()
    assert (slice_of(intent).status, working(order)) == (SliceStatus.PLANNED, 0)
    assert order.status == "WORKING"


def test_a_silence_that_proves_nothing_keeps_being_asked_about_until_the_lease_is_over() -> None:
    broker = Unproving()
    context = replace(contexts.default(), broker=broker)  # type: ignore[arg-type]
    order = new_order()
    intent = unknown(order)
    restrict()
    lease = slice_of(intent).lease_until_real
    for checks in (1, 2, 3):
        resolver.resolve(intent.part.pk, context)
        part = slice_of(intent)
        assert (part.status, part.checks) == (SliceStatus.UNKNOWN, checks)
        # A repetition that did not leave keeps nobody waiting for it.
        assert part.lease_until_real == lease
    assert working(order) == intent.ticket.quantity
    lease_over(intent)
    resolver.resolve(intent.part.pk, context)
    assert (slice_of(intent).status, working(order), broker.placed) == (SliceStatus.PLANNED, 0, 0)


def test_a_repetition_that_may_have_left_is_waited_for_anew() -> None:
    broker = Unproving()
    context = replace(contexts.default(), broker=broker)  # type: ignore[arg-type]
    intent = unknown(new_order())
    lease_over(intent)
    resolver.resolve(intent.part.pk, context)
    part = slice_of(intent)
    assert (part.status, broker.placed) == (SliceStatus.UNKNOWN, 1)
    assert part.lease_until_real is not None
    assert part.lease_until_real > timezone.now()


def test_of_two_that_heard_of_the_absence_one_sends_again() -> None:
    intent = unknown(new_order())
    heard = slice_of(intent).claim_token
    delivery.resend(
        intent.part.order_id, intent.part.pk, contexts.default(), after=heard, absent=True
    )
    first = slice_of(intent)
    delivery.resend(
        intent.part.order_id, intent.part.pk, contexts.default(), after=heard, absent=True
    )
    after = slice_of(intent)
    assert (sent(intent), after.attempt, after.status) == (1, first.attempt, first.status)


def test_while_another_sends_a_denied_repetition_concludes_nothing() -> None:
    intent = replace(intended(new_order()), again=True, absent=True)
    with elsewhere(lambda: sole_sender(intent.part.pk)):
        delivery.transmit(intent, contexts.default())
    assert slice_of(intent).status == SliceStatus.UNKNOWN


def test_while_another_may_be_sending_the_broker_is_asked_again_within_seconds() -> None:
    """However often it was asked before: its "not found" will prove something soon."""
    intent = unknown(new_order())
    Slice.objects.filter(pk=intent.part.pk).update(checks=20)
    context = replace(contexts.default(), broker=Unproving())
    with elsewhere(lambda: sole_sender(intent.part.pk)):
        resolver.resolve(intent.part.pk, context)
    part = slice_of(intent)
    assert (part.status, part.checks) == (SliceStatus.UNKNOWN, 21)
    assert part.check_at_real is not None
    assert part.check_at_real - timezone.now() <= timedelta(seconds=5)


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
    usual = contexts.default()
    context = replace(usual, broker=Answers(error))  # type: ignore[arg-type]
    cases = ((False, False, first), (True, False, again), (True, True, first))
    for repeated, absent, expected in cases:
        intent = replace(intended(new_order()), again=repeated, absent=absent)
        delivery.transmit(intent, context)
        assert slice_of(intent).status == expected


def test_what_a_cancelled_order_could_send_again_is_given_up() -> None:
    order = new_order()
    intent = intended(order)
    order_controls.cancel(order.pk, by="test", now=contexts.default().now())
    busy = outcomes.NotSent("429", retry=True)
    outcomes.record(order.pk, intent.part.pk, intent.token, busy, contexts.default())
    order.refresh_from_db()
    assert (slice_of(intent).status, order.status) == (SliceStatus.SKIPPED, "CANCELLED")


def test_news_that_repeat_themselves_put_no_question_off() -> None:
    intent = intended(new_order())
    receive(intent, report(intent, SliceStatus.WORKING))
    soon = timezone.now() + timedelta(seconds=1)
    Slice.objects.filter(pk=intent.part.pk).update(
        status=SliceStatus.CANCELLING, check_at_real=soon, checks=0
    )
    for _ in range(5):
        receive(intent, report(intent, SliceStatus.WORKING))
    part = slice_of(intent)
    assert (part.check_at_real, part.checks) == (soon, 0)


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
    receive(intent, seen)
    broker = Forgetful(seen)
    context = replace(contexts.default(), broker=broker)  # type: ignore[arg-type]
    past = timezone.now() - timedelta(seconds=1)
    cancelling = Slice.objects.filter(pk=intent.part.pk)
    cancelling.update(status=SliceStatus.CANCELLING, check_at_real=past, checks=0)
    for asked in (1, 2):
        resolver.resolve(intent.part.pk, context)
        part = slice_of(intent)
        assert (broker.cancels, part.checks) == (asked, asked)
        assert part.check_at_real is not None
        assert part.check_at_real > past
