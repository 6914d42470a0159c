"""Orders through Redis, worker processes and the paper broker, and what the rows say afterwards."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from deepstack.config import Config
from deepstack.local.child_cleanup import parent_pipe
from execution import context, task_queue
from execution.broker.order_manager import OrderManager
from execution.entry import acceptance, order_controls
from execution.entry.submission import NoLiveWorker, require_worker
from execution.models import Heartbeat, Order, OrderEvent, Slice
from execution.orders.event_message import EventMessage
from execution.risk import limits
from execution.router import ExecutionRouter
from tests.integration.rebuild import assert_audit_trail_matches
from tests.stack import Stack, wait_for

SIGNAL = {"symbol": "AAPL", "side": "BUY", "quantity": 600}


def accept(**more: object) -> Order:
    return acceptance.accept(SIGNAL | more, context.default())


def ended(order: Order, timeout: float = 40) -> Order:
    def terminal() -> Order | None:
        row = Order.objects.get(pk=order.pk)
        return row if row.is_terminal else None

    found = wait_for(terminal, timeout, f"order {order.pk} to end")
    assert found is not None
    return found


@pytest.mark.parametrize(("algorithm", "side"), [("TWAP", "BUY"), ("VWAP", "SELL")])
def test_a_sliced_order_is_executed_in_full_and_every_row_agrees(
    stack: Stack, algorithm: str, side: str
) -> None:
    order = ended(accept(algorithm=algorithm, side=side, window_minutes=0.2, slices=6))

    assert (order.status, order.filled_quantity) == ("FILLED", 600)
    slices = list(order.slices.order_by("sequence"))
    fills = list(order.fills.all())
    assert sum(part.planned_quantity for part in slices) == 600
    assert sum(fill.quantity for fill in fills) == 600
    assert sum(fill.quantity * fill.price for fill in fills) == order.filled_notional
    for part in slices:
        assert part.status in ("FILLED", "SKIPPED", "CANCELLED")
        assert order.start_at <= part.due_at < order.end_at
        assert part.attempt <= 1
        if part.sent_at is not None:
            assert part.due_at - timedelta(milliseconds=50) <= part.sent_at < order.end_at
    assert_audit_trail_matches(order)


@pytest.mark.parametrize("message", [b"hello", b'{"a": 1}', b"[1]", b"\xff\xfe"])
def test_what_others_put_into_a_queue_ends_no_worker(stack: Stack, message: bytes) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.lpush("slices", message)
        wait_for(lambda: not client.llen("slices"), 20, "a worker to take it")
    assert ended(accept(urgency="IMMEDIATE")).status == "FILLED"
    assert all(process.alive for process in stack.members)


@pytest.mark.parametrize("args", [[], ["7"], [7, 8], [None]])
def test_a_task_with_strange_arguments_ends_no_worker(stack: Stack, args: list[object]) -> None:
    current_app.send_task(task_queue.SEND, args=args, eta=timezone.now())
    assert ended(accept(urgency="IMMEDIATE")).status == "FILLED"
    assert all(process.alive for process in stack.members)


@pytest.mark.parametrize(
    ("embed", "headers"),
    [
        (5, {}),
        (None, {}),
        ({}, {"id": ["7"]}),
        ({}, {"id": None}),
        ({}, {"eta": 7}),
        ({}, {"eta": "soon"}),
        ({}, {"eta": "2026-03-02T16:00:00"}),
        ({}, {"expires": "never"}),
    ],
)
def test_a_task_that_celery_did_not_write_ends_no_worker(
    stack: Stack, embed: object, headers: dict[str, object]
) -> None:
    known = {"task": task_queue.SEND, "id": "7", "lang": "py"}
    with current_app.producer_or_acquire() as producer:
        producer.publish(
            [[7], {}, embed], headers=known | headers, serializer="json", routing_key="slices"
        )
    assert ended(accept(urgency="IMMEDIATE")).status == "FILLED"
    assert all(process.alive for process in stack.members)


def test_flower_hears_of_each_slice_when_it_is_taken_and_when_it_is_in_hand(stack: Stack) -> None:
    heard = list[dict[str, Any]]()
    with current_app.connection_for_read() as connection:
        receiver = current_app.events.Receiver(connection, handlers={"*": heard.append})
        events = receiver.itercapture(limit=None, timeout=20)
        next(events)  # a worker's answer: it is heard
        order = accept(algorithm="TWAP", window_minutes=0.1, slices=3)
        took = dict[str, str]()
        for _ in events:
            took |= {
                each["uuid"]: each["args"]
                for each in heard
                if each["type"] == "task-received" and f"of order {order.pk} " in str(each["args"])
            }
            done = {each.get("uuid") for each in heard if each["type"] == "task-succeeded"}
            if len(took) == 3 and took.keys() <= done:
                break
    assert sorted(took.values()) == [
        f"(slice {part.pk}: {part.sequence} of order {order.pk} BUY AAPL)"
        for part in order.slices.order_by("pk")
    ]


def test_an_urgent_order_is_done_at_once(stack: Stack) -> None:
    order = ended(accept(urgency="IMMEDIATE", quantity=33), timeout=10)
    assert (order.status, order.algorithm) == ("FILLED", "MARKET")
    assert order.arrival_ask is not None
    fill = order.fills.get()
    assert fill.price <= order.slices.get().limit_price  # type: ignore[operator]


def test_orders_for_many_new_symbols_meet_a_loss_limit_and_none_is_denied_or_put_off(
    stack: Stack,
) -> None:
    """While one order is checked, another's first fill makes a symbol the account's."""
    bounded = {"scope": "ACCOUNT", "key": "bounded", "field": "max_daily_loss", "by": "ann"}
    limits.set_limit(**bounded, value=1_000_000)
    orders = [
        accept(symbol=f"NEW{number}", quantity=10, algorithm="MARKET", account="bounded")
        for number in range(20)
    ]
    assert {order.status for order in orders} == {"ACCEPTED"}
    assert {ended(order).status for order in orders} == {"FILLED"}
    limits.set_limit(**bounded, value=None)
    put_off = OrderEvent.objects.filter(kind="SLICE_DEFERRED", order__in=orders)
    assert [event.data for event in put_off if "UNKNOWN" in event.data["reason"]] == []


def test_a_patient_limit_far_from_the_market_rests_and_is_cancelled(stack: Stack) -> None:
    order = accept(urgency="LOW", limit_price="100.00")
    part = Slice.objects.filter(order=order, status="WORKING")
    wait_for(part.exists, 10, "the limit order to rest at the broker")
    order_controls.cancel(order.pk, by="test", now=context.default().now())
    order = ended(order, timeout=15)
    assert (order.status, order.filled_quantity) == ("CANCELLED", 0)
    assert_audit_trail_matches(order)


def test_a_cancel_in_mid_window_leaves_the_rest_untraded(stack: Stack) -> None:
    order = accept(algorithm="TWAP", window_minutes=0.5, slices=10)
    wait_for(order.fills.exists, 15, "the first fill")
    order_controls.cancel(order.pk, by="test", now=context.default().now())
    order = ended(order, timeout=15)
    assert order.status == "CANCELLED"
    assert 0 < order.filled_quantity < 600
    assert not order.slices.filter(sent_at__gt=order.finished_at).exists()
    assert_audit_trail_matches(order)


def test_killing_the_waiting_script_changes_nothing(stack: Stack) -> None:
    reference = f"script-{time.time_ns()}"
    script = f"""
import asyncio
from deepstack.config import Config
from deepstack.local.child_cleanup import parent_pipe
from execution.broker.order_manager import OrderManager
from execution.router import ExecutionRouter
router = ExecutionRouter(order_manager=OrderManager(config=Config.from_env()))
asyncio.run(router.route_order(symbol="MSFT", quantity=100, action="BUY", algorithm="TWAP",
    time_window_minutes=0.2, num_slices=5, client_reference={reference!r}))
"""
    waiting = subprocess.Popen(
        [sys.executable, "-c", script], env=stack.env(), pass_fds=parent_pipe()
    )
    orders = Order.objects.filter(client_reference=reference)
    wait_for(orders.exists, 30, "the script to hand its order over")
    waiting.send_signal(signal.SIGKILL)
    waiting.wait()
    assert ended(orders.get()).status == "FILLED"


def test_a_strategy_follows_its_order_to_the_end(stack: Stack) -> None:
    """While it runs, and once more afterwards, when the whole of it is read at once."""
    router = ExecutionRouter(OrderManager(config=Config.from_env()))

    async def follow(order_id: int) -> list[EventMessage]:
        return [message async for message in router.events(order_id)]

    order = accept(algorithm="TWAP", window_minutes=0.1, slices=3)
    heard = asyncio.run(asyncio.wait_for(follow(order.pk), 60))
    events = order.events.order_by("pk").values_list("pk", flat=True)
    assert sorted(message["id"] for message in heard) == list(events)
    assert heard[0]["kind"] == "ORDER_ACCEPTED"
    assert (heard[-1]["kind"], heard[-1]["data"]["to"]) == ("ORDER_STATUS", "FILLED")
    assert asyncio.run(follow(order.pk)) == heard
    with pytest.raises(Order.DoesNotExist):
        asyncio.run(follow(order.pk + 1_000_000))


def test_the_command_line_places_an_order_and_reports(stack: Stack) -> None:
    done = stack.manage(
        *["order", "BUY", "150", "MSFT", "--algorithm", "TWAP"],
        *["--window-minutes", "0.1", "--slices", "3", "--json"],
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["status"], report["filled_quantity"]) == ("FILLED", 150)


def test_without_a_live_worker_the_caller_is_told_at_once(
    django_db_blocker: DjangoDbBlocker, empty_stack: Stack
) -> None:
    before = Order.objects.count()
    Heartbeat.objects.update(seen_at_real=timezone.now() - timedelta(minutes=1))
    with pytest.raises(NoLiveWorker, match="make up"):
        require_worker()
    refused = empty_stack.manage("order", "BUY", "10", "AAPL")
    assert refused.returncode == 1
    assert "no live worker" in refused.stderr
    assert "CommandError" not in refused.stderr, "a sentence, not the name of a class"
    assert Order.objects.count() == before


def test_the_same_reference_is_the_same_order(stack: Stack) -> None:
    reference = f"twice-{time.time_ns()}"
    first = accept(client_reference=reference, algorithm="TWAP", window_minutes=60)
    again = accept(client_reference=reference, algorithm="TWAP", window_minutes=60)
    assert first.pk == again.pk
    with pytest.raises(ValueError, match="belongs to order"):
        accept(client_reference=reference, quantity=601)
    order_controls.cancel(first.pk, by="test", now=context.default().now())


def test_a_whole_batch_is_stored_or_nothing(stack: Stack) -> None:
    before = Order.objects.count()
    with pytest.raises(ValueError, match=r"1\.quantity"):
        acceptance.accept_all([SIGNAL, SIGNAL | {"quantity": 0}], context.default())
    assert Order.objects.count() == before


def test_a_denial_is_stored_with_its_code_and_numbers(stack: Stack) -> None:
    order = accept(quantity=2_000_000, algorithm="TWAP")
    assert order.status == "DENIED"
    assert order.status_reason == "QUANTITY_EXCEEDS_MAX: max=1000000, quantity=2000000"
    assert order.routing["denial"]["code"] == "QUANTITY_EXCEEDS_MAX"
    assert not order.slices.exists()
    assert order.events.get().kind == "ORDER_DENIED"
