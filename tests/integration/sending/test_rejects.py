"""A broker that refuses child after child pauses the order, however its refusals arrive, and its
words reach the child and the order."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from execution import context as contexts
from execution.booking import execution_reports
from execution.broker.base import BrokerOrder
from execution.domain.lifecycle import SliceStatus
from execution.entry import order_controls
from execution.models import Order, OrderEvent, Slice
from execution.sending import outcomes
from execution.sending.slices import Intent
from tests.integration.order_steps import claim, execution, new_order, receive, report
from tests.integration.rebuild import assert_audit_trail_matches

pytestmark = pytest.mark.django_db

MARGIN = "201: Order rejected - reason: margin"
S = SliceStatus


def answer(intent: Intent, outcome: outcomes.Outcome) -> None:
    outcomes.record(intent.part.order_id, intent.part.pk, intent.token, outcome, contexts.default())


def said(intent: Intent, status: SliceStatus, reason: str = MARGIN) -> BrokerOrder:
    return replace(report(intent, status), reason=reason)


def at_once(intent: Intent) -> None:
    answer(intent, outcomes.Refused("201", "Order rejected - reason: margin"))


def in_the_answer(intent: Intent) -> None:
    answer(intent, said(intent, S.REJECTED))


def by_report(intent: Intent) -> None:
    answer(intent, report(intent, S.WORKING))
    receive(intent, said(intent, S.REJECTED))


def by_look_up(intent: Intent) -> None:
    answer(intent, outcomes.Ambiguous("read timed out"))
    receive(intent, said(intent, S.REJECTED))


def by_a_cancel_that_is_explained_later(intent: Intent) -> None:
    answer(intent, report(intent, S.CANCELLED))
    receive(intent, said(intent, S.REJECTED))


def cancelled_unasked(intent: Intent) -> None:
    answer(intent, report(intent, S.WORKING))
    receive(intent, said(intent, S.CANCELLED, "202: price outside of limits"))


def expired_unasked(intent: Intent) -> None:
    answer(intent, report(intent, S.WORKING))
    receive(intent, said(intent, S.EXPIRED, ""))


def filled(intent: Intent) -> None:
    receive(intent, report(intent, S.FILLED, [execution(intent, "1", intent.ticket.quantity)]))


def partly_filled_then_refused(intent: Intent) -> None:
    receive(intent, replace(report(intent, S.REJECTED, [execution(intent, "1", 10)])))


def cancelled_as_asked(intent: Intent) -> None:
    answer(intent, report(intent, S.WORKING))
    Slice.objects.filter(pk=intent.part.pk).update(status=S.CANCELLING, reason="slice window ended")
    receive(intent, report(intent, S.CANCELLED))


def still_working(intent: Intent) -> None:
    answer(intent, report(intent, S.WORKING))


WAYS: list[Callable[[Intent], None]] = [
    at_once,
    in_the_answer,
    by_report,
    by_look_up,
    by_a_cancel_that_is_explained_later,
    cancelled_unasked,
    expired_unasked,
]


def live(order: Order, *ways: Callable[[Intent], None]) -> None:
    """Each way ends one child, one after another, as long as the order sends."""
    for part, way in zip(order.slices.order_by("sequence"), ways, strict=False):
        intent = claim(part)
        if intent is None:
            break
        way(intent)
    order.refresh_from_db()


@pytest.mark.parametrize("way", WAYS)
def test_three_in_a_row_pause_the_order_however_they_arrive(way: Callable[[Intent], None]) -> None:
    order = new_order(parts=7)
    live(order, *[way] * 7)
    assert order.status == "PAUSED"
    assert order.slices.filter(attempt__gt=0).count() == 3, "no further child is sent"
    assert "3 permanent rejects in a row" in order.status_reason
    assert_audit_trail_matches(order)


@pytest.mark.parametrize("way", WAYS)
def test_a_person_who_resumes_an_order_has_seen_its_rejects(way: Callable[[Intent], None]) -> None:
    order = new_order(parts=7)
    live(order, way, way, way)
    assert order.status == "PAUSED"
    order_controls.resume(order.pk, by="ann", now=contexts.default().now())
    for part in order.slices.order_by("sequence")[3:6]:
        order.refresh_from_db()
        assert order.status == "WORKING"
        intent = claim(part)
        assert intent is not None
        way(intent)
    order.refresh_from_db()
    assert order.status == "PAUSED"
    assert "3 permanent rejects in a row" in order.status_reason


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("last", WAYS)
def test_mixed_ways_count_together(
    first: Callable[[Intent], None], last: Callable[[Intent], None]
) -> None:
    order = new_order(parts=7)
    live(order, first, by_report, last)
    assert order.status == "PAUSED"


@pytest.mark.parametrize("between", [filled, partly_filled_then_refused, cancelled_as_asked])
def test_what_the_broker_accepted_ends_the_run(between: Callable[[Intent], None]) -> None:
    order = new_order(parts=7)
    live(order, by_report, at_once, between, by_report, at_once)
    assert order.status == "WORKING"


def test_a_child_whose_end_is_not_known_yet_does_not_hide_those_before_it() -> None:
    order = new_order(parts=7)
    live(order, by_report, by_report, still_working, by_report)
    assert order.status == "PAUSED"


def test_a_refusal_by_news_is_told_like_a_direct_one() -> None:
    order = new_order()
    live(order, at_once, by_report)
    told = OrderEvent.objects.filter(order=order, kind="BROKER_REJECTED").order_by("id")
    direct, heard = (event.data for event in told)
    assert direct | {"slice": 1} == heard
    assert heard["code"] == "201"
    assert heard["text"] == "Order rejected - reason: margin"


@pytest.mark.parametrize("way", WAYS[:5])
def test_the_brokers_words_reach_the_child_and_the_order(way: Callable[[Intent], None]) -> None:
    order = new_order(parts=1)
    live(order, way)
    assert order.slices.get().reason == MARGIN or order.slices.get().reason.endswith(MARGIN)
    assert order.status == "REJECTED"
    assert order.status_reason == f"1,000 of 1,000 not executed: refused by the broker ({MARGIN})"
    assert_audit_trail_matches(order)


def test_words_that_come_after_a_cancel_nobody_asked_for_reach_the_order() -> None:
    order = new_order(parts=1)
    intent = claim(order.slices.get())
    assert intent is not None
    answer(intent, report(intent, S.CANCELLED))
    order.refresh_from_db()
    assert order.status_reason == "1,000 of 1,000 not executed: cancelled by the broker, unasked"
    receive(intent, said(intent, S.CANCELLED, "10268: not supported"))
    receive(intent, said(intent, S.CANCELLED, "10268: not supported"))
    order.refresh_from_db()
    assert order.status_reason.endswith("unasked (10268: not supported)")
    assert order.events.filter(kind="SLICE_REASON").count() == 1


def test_an_order_that_a_person_cancels_says_so_at_its_end() -> None:
    order = new_order(parts=5)
    live(order, by_report)
    order_controls.cancel(order.pk, by="kim", now=contexts.default().now())
    order.refresh_from_db()
    assert order.status == "CANCELLED"
    assert order.status_reason == "1,000 of 1,000 not executed: cancelled by kim"


def test_an_end_by_the_clock_is_not_the_brokers_refusal() -> None:
    order = new_order(parts=1)
    part = order.slices.get()
    intent = claim(part)
    assert intent is not None
    answer(intent, report(intent, S.WORKING))
    context = replace(contexts.default(), now=lambda: part.end_at)
    execution_reports.book_report(part, report(intent, S.EXPIRED), context)
    order.refresh_from_db()
    assert "worked until its slice window ended" in order.status_reason
