"""One order at the broker that is halted or paused, step by step."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from deepstack.config import Config
from execution import context as contexts
from execution.booking import completion
from execution.broker.base import BrokerOrder
from execution.domain.lifecycle import SliceStatus
from execution.entry import amend, order_controls
from execution.models import Order, Slice
from execution.orders.journal import move_slice
from execution.risk import exposure, kill_switch, limits
from execution.sending import delivery, resolver
from execution.sending.dispatcher import Dispatcher
from tests.integration.order_steps import claim, execution, new_order, receive, report, working
from tests.integration.rebuild import assert_audit_trail_matches

pytestmark = pytest.mark.django_db


def resting() -> tuple[Order, Any]:
    order = new_order(1_000, 1)
    intent = claim(order.slices.get())
    assert intent is not None
    receive(intent, report(intent, SliceStatus.WORKING))
    return order, intent


def halt_all(state: str = "HALTED") -> None:
    kill_switch.set_state(scope="SYSTEM", key="", state=state, by="ann", reason="news")


class Slow:
    """A broker at the outer edge that takes a cancel and does not confirm it yet."""

    name = "paper"

    def __init__(self) -> None:
        self.cancels = 0

    def cancel(self, *_: object, **__: object) -> None:
        self.cancels += 1

    def find(self, *_: object, **__: object) -> BrokerOrder | None:
        return None


def cancel_slowly(intent: Any) -> Slow:
    broker = Slow()
    resolver.close(intent.part.pk, replace(contexts.default(), broker=broker))  # type: ignore[arg-type]
    return broker


def waiting(order: Order) -> Sequence[Slice]:
    return list(order.slices.filter(status__in=("PLANNED", "QUEUED")))


def test_a_halt_reports_the_children_that_are_not_confirmed_as_ended() -> None:
    order, intent = resting()
    other = new_order(100, 1, symbol="MSFT")
    now, everything = contexts.default().now(), {"scope": "SYSTEM", "key": "", "by": "ann"}

    def unconfirmed() -> dict[int, int]:
        report = kill_switch.halt(**everything, reason="news", now=now)
        assert report.unconfirmed == sum(each.unconfirmed for each in report.orders)
        return {each.order_id: each.unconfirmed for each in report.orders}

    assert unconfirmed() == {order.pk: 1, other.pk: 0}
    cancel_slowly(intent)
    assert unconfirmed() == {order.pk: 1, other.pk: 0}, "the broker has not confirmed it"
    receive(intent, report(intent, SliceStatus.CANCELLED))
    assert unconfirmed() == {order.pk: 0, other.pk: 0}


@pytest.mark.parametrize("filled", [0, 300, 1_000])
def test_shares_return_only_when_the_cancel_is_confirmed(filled: int) -> None:
    """A resume before that, and executions that cross the cancel, change nothing."""
    order, intent = resting()
    halt_all()
    assert cancel_slowly(intent).cancels == 1
    halt_all("ACTIVE")
    assert (working(order), waiting(order)) == (1_000, [])

    trades = [execution(intent, "0", filled)] if filled else []
    receive(intent, report(intent, SliceStatus.WORKING, trades))
    assert waiting(order) == []
    receive(intent, report(intent, SliceStatus.CANCELLED, trades))
    order.refresh_from_db()
    assert [part.planned_quantity for part in waiting(order)] == [1_000 - filled] * (filled < 1_000)
    assert order.status == ("FILLED" if filled == 1_000 else "WORKING")
    assert_audit_trail_matches(order)


@pytest.mark.parametrize("status", [SliceStatus.WORKING, SliceStatus.UNKNOWN])
def test_a_child_ends_with_its_order_that_was_amended_to_end_earlier(status: SliceStatus) -> None:
    order, intent = resting()
    context = contexts.default()
    Slice.objects.filter(pk=intent.part.pk).update(status=status)
    end = context.now() + timedelta(seconds=90)
    amend.amend(order.pk, {"end_at": end}, version=1, by="ann", context=context)
    assert Slice.objects.get(pk=intent.part.pk).end_at == end
    loop = Dispatcher(Config().execution.scheduling)
    assert intent.part.pk not in loop._to_cancel(end - timedelta(seconds=1))
    assert (intent.part.pk in loop._to_cancel(end)) == (status == SliceStatus.WORKING)


def test_a_late_cancel_task_after_the_resume_cancels_nothing() -> None:
    order, intent = resting()
    halt_all()
    halt_all("ACTIVE")
    assert cancel_slowly(intent).cancels == 0
    assert order.slices.get().status == "WORKING"


def test_no_limit_on_messages_holds_a_cancel_back() -> None:
    order, intent = resting()
    limits.set_limit(scope="SYSTEM", key="", field="max_messages_per_minute", value=0, by="ann")
    before = exposure.recent_messages(order.account)
    halt_all()
    assert cancel_slowly(intent).cancels == 1
    assert exposure.recent_messages(order.account) == before


def test_a_second_cancel_task_does_not_ask_the_broker_again() -> None:
    _, intent = resting()
    halt_all()
    assert [cancel_slowly(intent).cancels for _ in range(2)] == [1, 0]


def test_an_order_that_is_cancelled_while_it_is_held_goes_on_no_more() -> None:
    order, intent = resting()
    halt_all()
    cancel_slowly(intent)
    order_controls.cancel(order.pk, by="ann", now=contexts.default().now())
    receive(intent, report(intent, SliceStatus.CANCELLED))
    order.refresh_from_db()
    assert (order.status, waiting(order)) == ("CANCELLED", [])


def test_the_brokers_words_follow_our_reason() -> None:
    order, intent = resting()
    halt_all()
    cancel_slowly(intent)
    receive(intent, replace(report(intent, SliceStatus.CANCELLED), reason="cancelled by user"))
    assert order.slices.get(sequence=0).reason == "HALTED: SYSTEM by ann: news; cancelled by user"


def test_a_pause_between_claim_and_send_puts_the_slice_off() -> None:
    order = new_order(1_000, 1)
    intent = claim(order.slices.get())
    assert intent is not None
    order_controls.pause(order.pk, by="ann", now=contexts.default().now())
    delivery.transmit(intent, contexts.default())
    part = order.slices.get()
    assert (part.status, part.reason, part.sent_at) == ("PLANNED", "ORDER_PAUSED", None)


def test_what_never_arrived_is_planned_again_at_a_growing_pause() -> None:
    order, pauses = new_order(1_000, 1), []
    for _ in range(4):
        [part] = waiting(order)
        assert claim(part) is not None
        order.refresh_from_db()
        part.refresh_from_db()
        now = contexts.default().now()
        part.order = order
        move_slice(part, SliceStatus.SKIPPED, at=now, reason="NEVER_ARRIVED")
        completion.finish_if_done(order, at=now)
        [part] = waiting(order)
        pauses.append((part.due_at - now).total_seconds())
    assert pauses == [2, 4, 8, 16]


def test_an_amendment_while_a_cancel_is_pending_loses_nothing() -> None:
    order, intent = resting()
    halt_all()
    cancel_slowly(intent)
    halt_all("ACTIVE")
    change = {"quantity": 1_200}
    amend.amend(order.pk, change, version=1, by="ann", context=contexts.default())
    assert [part.planned_quantity for part in waiting(order)] == [200]
    receive(intent, report(intent, SliceStatus.CANCELLED))
    [part] = waiting(order)
    again = claim(part)
    assert again is not None
    assert again.ticket.quantity == 1_200


@pytest.mark.parametrize(("hours", "more"), [(1, [1_000]), (0, [])])
def test_an_order_that_was_given_more_time_goes_on_when_its_last_child_ends(
    hours: int, more: list[int]
) -> None:
    """Every share was working, so that the amendment planned nothing."""
    order, intent = resting()
    context = contexts.default()
    later = order.end_at + timedelta(hours=hours)
    if hours:
        order = amend.amend(order.pk, {"end_at": later}, version=1, by="ann", context=context)
    ended = context.now() - timedelta(seconds=1)
    due = ended - timedelta(seconds=1)
    Slice.objects.filter(pk=intent.part.pk).update(due_at=due, end_at=ended)
    if not hours:
        Order.objects.filter(pk=order.pk).update(start_at=due, end_at=ended)
    assert cancel_slowly(intent).cancels == 1
    receive(intent, report(intent, SliceStatus.CANCELLED))
    order.refresh_from_db()
    assert [part.planned_quantity for part in waiting(order)] == more
    assert order.status == ("WORKING" if more else "EXPIRED")
    assert [part.end_at for part in waiting(order)] == [later] * len(more)


@pytest.mark.parametrize(
    ("side", "limit", "cancelled"),
    [("BUY", "149.90", True), ("BUY", "150.10", False), ("SELL", "150.10", True)],
)
def test_a_stricter_limit_takes_back_a_child_that_rests_beyond_it(
    side: str, limit: str, cancelled: bool
) -> None:
    """Its shares leave again, at the limit that holds now."""
    order = new_order(1_000, 1, side=side, limit_price="150.00")
    intent = claim(order.slices.get())
    assert intent is not None
    receive(intent, report(intent, SliceStatus.WORKING))
    assert intent.ticket.limit_price == Decimal("150.00")
    context, path = contexts.default(), Dispatcher(Config().execution.scheduling)
    amend.amend(order.pk, {"limit_price": limit}, version=1, by="ann", context=context)
    assert (intent.part.pk in path._to_cancel(context.now())) == cancelled
    assert cancel_slowly(intent).cancels == cancelled
    if not cancelled:
        return
    receive(intent, report(intent, SliceStatus.CANCELLED))
    [again] = waiting(order)
    assert again.planned_quantity == 1_000
    second = claim(again)
    assert second is not None
    assert second.ticket.limit_price == Decimal(limit)
    assert intent.part.pk not in path._to_cancel(context.now())
