"""What is due together is claimed and recorded together, and each as if it were alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from execution import context as contexts
from execution.broker.base import BrokerOrder
from execution.domain.lifecycle import SliceStatus
from execution.models import Fill, Order, Position, Slice
from execution.orders.locks import NeedsOwnTransaction, locked
from execution.sending import outcomes, slices
from execution.sending.outcomes import Result
from execution.sending.slices import Due, Intent
from execution.sending.stage import Alone
from execution.sending.targeting import Tape
from tests.integration.order_steps import claim, execution, new_order, quote_at, report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

SYMBOLS = ("AAPL", "MSFT", "GOOGL", "SPY")
PATIENCE = 10.0  # seconds


def orders(count: int, **more: Any) -> list[Order]:
    return [new_order(symbol=SYMBOLS[n % len(SYMBOLS)], **more) for n in range(count)]


def first_of(order: Order) -> Slice:
    return order.slices.select_related("order").get(sequence=0)


def due(order: Order) -> Due:
    part = first_of(order)
    return Due(part, quote_at(part.due_at), Tape(), contexts.default(), part.due_at)


def claimed(among: Sequence[Order]) -> list[Intent]:
    found = slices.claim_together([due(order) for order in among])
    return [each for each in found if isinstance(each, Intent)]


def filled(intent: Intent) -> BrokerOrder:
    whole = execution(intent, "1", intent.ticket.quantity)
    return report(intent, SliceStatus.FILLED, [whole])


def result(intent: Intent, outcome: BrokerOrder | None = None, **more: object) -> Result:
    context, part = contexts.default(), intent.part
    token = more.get("token", intent.token)
    return Result(part.order_id, part.pk, token, outcome or filled(intent), context, context.now())  # type: ignore[arg-type]


def audit_trail(order: Order) -> list[tuple[str, object]]:
    """The order's events since it was accepted, without what differs between any two orders."""
    own = ("client_order_id", "quote", "execution_id", "executed_at", "broker_order_id")
    events = order.events.exclude(kind="ORDER_ACCEPTED").order_by("id")
    return [
        (kind, {key: value for key, value in data.items() if key not in own})
        for kind, data in events.values_list("kind", "data")
    ]


@contextmanager
def locked_elsewhere(order: Order) -> Iterator[None]:
    held, over = Event(), Event()

    def hold() -> None:
        with locked(order.pk):
            held.set()
            assert over.wait(PATIENCE)
        connection.close()

    thread = Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)
    try:
        yield
    finally:
        over.set()
        thread.join()


def statements(count: int) -> int:
    """Of claiming and recording so many slices."""
    dues = [due(order) for order in orders(count)]
    with CaptureQueriesContext(connection) as captured:
        intents = [each for each in slices.claim_together(dues) if isinstance(each, Intent)]
        outcomes.record_together([result(intent) for intent in intents])
    assert len(intents) == count
    return len(captured)


def test_a_set_tells_the_story_that_each_tells_alone() -> None:
    among, alone = orders(4), new_order()
    for intent, order in zip(claimed(among), among, strict=True):
        assert intent.part.order_id == order.pk
        outcomes.record_together([result(intent)])
    by_itself = claim(first_of(alone))
    assert by_itself
    outcomes.record(
        alone.pk, by_itself.part.pk, by_itself.token, filled(by_itself), contexts.default()
    )
    part = first_of(alone)
    for order in among:
        assert audit_trail(order) == audit_trail(alone)
        other = first_of(order)
        for name in ("status", "quantity", "limit_price", "filled_quantity", "attempt", "reason"):
            assert getattr(other, name) == getattr(part, name)


def test_ten_slices_need_no_more_statements_than_two() -> None:
    statements(1)  # what is read once
    assert statements(10) == statements(2)


def test_an_order_that_is_locked_elsewhere_is_left_out_of_its_set() -> None:
    busy, free = orders(2)
    with locked_elsewhere(busy):
        left, intent = slices.claim_together([due(busy), due(free)])
        assert left is Alone.LOCKED
        assert isinstance(intent, Intent)
    assert first_of(busy).status in ("PLANNED", "QUEUED")
    assert first_of(free).status == SliceStatus.SENDING
    with locked_elsewhere(free):
        assert outcomes.record_together([result(intent)]) == [Alone.LOCKED]
    assert not Fill.objects.exists()


def test_one_poisoned_slice_takes_back_the_whole_set() -> None:
    good, bad = orders(2)
    poisoned = due(bad)
    Order.objects.filter(pk=bad.pk).update(parameters={"lot_size": "a heap"})
    with pytest.raises(Exception, match=r".") as failed:
        slices.claim_together([due(good), poisoned])
    assert not isinstance(failed.value, NeedsOwnTransaction)
    assert first_of(good).status in ("PLANNED", "QUEUED")
    assert not good.events.filter(kind="SLICE_SENDING").exists()


def test_what_cannot_be_stored_takes_back_the_whole_set() -> None:
    intents = claimed(orders(2))
    bad = report(intents[1], SliceStatus.WORKING, [execution(intents[1], "x\0", 1)])
    with pytest.raises(DataError):
        outcomes.record_together([result(intents[0]), result(intents[1], bad)])
    assert not Fill.objects.exists()
    assert {first_of(each.part.order).status for each in intents} == {SliceStatus.SENDING}


def test_a_slice_that_needs_a_further_lock_is_left_out_of_its_set() -> None:
    """Where an account comes near its bound of messages, they are counted one after the other."""
    context = contexts.default()
    few = context.config.limits.model_copy(update={"max_messages_per_minute": 5})
    near = replace(context, config=context.config.model_copy(update={"limits": few}))
    one, other = orders(2)
    held_up = replace(due(one), context=near)
    left, intent = slices.claim_together([held_up, due(other)])
    assert left is Alone.ALONE
    assert isinstance(intent, Intent)
    assert first_of(one).status in ("PLANNED", "QUEUED")


def test_slices_that_would_be_left_out_do_not_join() -> None:
    context = contexts.default()
    few = context.config.limits.model_copy(update={"max_messages_per_minute": 60})
    counted = replace(context, config=context.config.model_copy(update={"limits": few}))
    usual, capped = due(new_order()), due(new_order(max_participation=0.1))
    sent_before = due(new_order())
    sent_before.part.attempt = 1
    assert usual.may_join
    assert not replace(usual, context=counted).may_join
    assert not capped.may_join
    assert not sent_before.may_join


def test_slices_of_one_order_and_both_sides_of_a_symbol_do_not_go_together() -> None:
    order, sale = new_order(), new_order(side="SELL")
    other = new_order(symbol="MSFT", side="SELL")
    first, again = due(order), due(order)
    assert first.keys[order.pk] != again.keys[order.pk]
    assert first.keys["default", "AAPL"] != due(sale).keys["default", "AAPL"]
    assert not first.keys.keys() & due(other).keys.keys()


def test_a_claim_that_was_taken_over_books_nothing_and_holds_up_nobody() -> None:
    mine, taken = claimed(orders(2))
    outcomes.record_together([result(mine), result(taken, token=uuid4())])
    assert first_of(mine.part.order).status == SliceStatus.FILLED
    assert first_of(taken.part.order).status == SliceStatus.SENDING
    assert set(Fill.objects.values_list("order", flat=True)) == {mine.part.order_id}


def test_what_the_news_have_booked_already_is_booked_once() -> None:
    intents = claimed(orders(3))
    news = filled(intents[0])
    outcomes.record_together([result(intents[0], news)])
    outcomes.record_together([result(intent, filled(intent)) for intent in intents])
    assert Fill.objects.count() == 3
    shares = dict(Position.objects.values_list("symbol", "shares"))
    assert shares == {each.ticket.symbol: each.ticket.quantity for each in intents}


def test_a_correction_is_left_to_a_transaction_of_its_own() -> None:
    """A second statement that changes positions could wait for one that waits for it."""
    one, other = claimed(orders(2))
    outcomes.record_together([result(one)])
    corrected = execution(one, "1", one.ticket.quantity - 1, revision=1)
    again = result(one, report(one, SliceStatus.FILLED, [corrected]))
    with pytest.raises(NeedsOwnTransaction):
        outcomes.record_together([again, result(other)])
    assert Fill.objects.get().quantity == one.ticket.quantity


def test_the_last_slices_of_orders_end_them() -> None:
    among = orders(3, parts=1)
    outcomes.record_together([result(intent) for intent in claimed(among)])
    for order in among:
        order.refresh_from_db()
        assert (order.status, order.filled_quantity) == ("FILLED", order.quantity)


def test_a_set_of_orders_waits_for_no_lock() -> None:
    """Two sets that overlap take what is free, in whatever order they come."""
    one, other = orders(2)
    with locked_elsewhere(one), locked_elsewhere(other), transaction.atomic():
        assert slices.claim_together([due(other), due(one)]) == [Alone.LOCKED, Alone.LOCKED]
