"""The log has a line for each event of an order; a halt stands before what it causes."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from execution.domain.lifecycle import SliceStatus
from execution.entry import order_controls
from execution.models import Order, OrderEvent
from execution.orders.journal import record_event
from execution.risk import kill_switch
from tests.integration.order_steps import claim, execution, new_order, receive, report

pytestmark = pytest.mark.django_db(transaction=True)


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.of: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.msg, dict)
        self.of.append(record.msg)


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    handler, logger = Lines(), logging.getLogger("execution.events")
    logger.addHandler(handler)
    yield handler.of
    logger.removeHandler(handler)


def test_each_event_of_an_order_is_one_line_with_its_ids(lines: list[dict[str, Any]]) -> None:
    order = new_order(parts=1)
    part = order.slices.get()
    intent = claim(part)
    assert intent is not None
    receive(intent, report(intent, SliceStatus.FILLED, [execution(intent, "x", 1_000)]))
    events = order.events.order_by("pk")
    assert [line["event"] for line in lines] == [event.kind for event in events]
    assert [line["event_id"] for line in lines] == [event.pk for event in events]
    assert all(
        (line["order_id"], line["symbol"], line["side"], line["account"])
        == (order.pk, "AAPL", "BUY", order.account)
        for line in lines
    )
    (fill,) = (line for line in lines if line["event"] == "FILL")
    assert (fill["slice_id"], fill["slice"], fill["quantity"]) == (part.pk, 0, 1_000)
    assert fill["price"] == "150.00"
    assert fill["execution_id"].endswith("/x")


def test_who_cancelled_is_in_the_log(lines: list[dict[str, Any]]) -> None:
    order = new_order()
    order_controls.cancel(order.pk, by="ann", now=datetime.now(UTC), reason="changed my mind")
    (asked,) = (line for line in lines if line["event"] == "CANCEL_REQUESTED")
    assert (asked["by"], asked["reason"]) == ("ann", "changed my mind")


def test_what_is_rolled_back_is_not_in_the_log(lines: list[dict[str, Any]]) -> None:
    order = new_order()
    before = len(lines)
    with transaction.atomic():
        record_event(order, "FILL", {"quantity": 1}, at=order.created_at)
        transaction.set_rollback(True)
    assert len(lines) == before


def test_a_halt_stands_before_the_cancels_that_it_causes() -> None:
    """What the halt causes is written while the halt waits for the sends under way."""
    order, now = new_order(), datetime.now(UTC)
    with transaction.atomic():
        row = kill_switch.set_state(scope="SYSTEM", key="", state="HALTED", by="ann", reason="news")
        numbers = kill_switch.reserve_events(row)
    # Another process, whose clock is ahead, cancels at once.
    record_event(order, "SLICE_STATUS", {"to": "CANCELLED"}, at=now - timedelta(seconds=9))
    late = new_order()
    kill_switch.record_on_orders(row, [order.pk, late.pk], now=now, numbers=numbers)
    kinds = list(order.events.order_by("pk").values_list("kind", flat=True))
    assert kinds[-2:] == ["TRADING_STATE", "SLICE_STATUS"]
    assert late.events.order_by("pk").last().kind == "TRADING_STATE", "accepted after the halt"


def test_an_event_after_a_halt_has_a_number_that_is_free() -> None:
    order, now = new_order(), datetime.now(UTC)
    report = kill_switch.halt(scope="SYMBOL", key="AAPL", by="ann", reason="news", now=now)
    assert [each.order_id for each in report.orders] == [order.pk]
    record_event(order, "SLICE_STATUS", {"to": "CANCELLED"}, at=now)
    numbers = list(OrderEvent.objects.filter(order=order).values_list("pk", flat=True))
    assert len(set(numbers)) == len(numbers)
    assert Order.objects.count() == 1
    connection.close()
