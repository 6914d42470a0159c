"""Limits hold when several workers send at the same moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import connection

from execution import context as contexts
from execution.models import Order
from execution.risk import limits
from execution.sending import delivery
from execution.sending.outcomes import NotSent
from execution.sending.slices import Intent
from tests.integration.order_steps import claim, new_order

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")


def at_once(work: Callable[[Order], T], orders: Sequence[Order]) -> list[T]:
    """The work on each order in a thread and on a connection of its own, begun together."""
    start = Barrier(len(orders))

    def one(order: Order) -> T:
        try:
            connection.ensure_connection()
            start.wait(10)
            return work(order)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(orders)) as threads:
        return list(threads.map(one, orders))


def claimed(order: Order) -> Intent | None:
    return claim(order.slices.get())


def test_no_message_beyond_the_limit_leaves() -> None:
    limits.set_limit(
        scope="ACCOUNT", key="default", field="max_messages_per_minute", value=3, by="ann"
    )
    intents = at_once(claimed, [new_order(100, 1) for _ in range(8)])
    assert sum(intent is not None for intent in intents) == 3


def test_two_parents_cannot_pass_the_position_together() -> None:
    orders = [new_order(100, 1) for _ in range(2)]
    limits.set_limit(scope="SYSTEM", key="", field="max_position", value=150, by="ann")
    # Each is denied as long as the other lives; whoever comes after its end may send.
    assert sum(intent is not None for intent in at_once(claimed, orders)) <= 1


def test_opposite_children_never_meet_in_the_market() -> None:
    def looked(order: Order) -> NotSent | str | None:
        intent = claimed(order)
        return "not claimed" if intent is None else delivery.final_check(intent, contexts.default())

    for _ in range(5):
        pair = [new_order(100, 1), new_order(100, 1, side="SELL")]
        assert sum(outcome is None for outcome in at_once(looked, pair)) <= 1
        Order.objects.get(pk=pair[0].pk).slices.update(status="SKIPPED")
        Order.objects.get(pk=pair[1].pk).slices.update(status="SKIPPED")
