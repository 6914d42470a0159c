"""Which slices the loop publishes tasks for, and that it outlives what goes wrong around it."""

from datetime import timedelta

import pytest
from celery.signals import before_task_publish
from django.db import connection
from django.utils import timezone

from deepstack.config import Scheduling
from execution import task_queue
from execution.domain.event_kinds import EventKind
from execution.models import Order, OrderEvent, Slice
from execution.orders import journal
from execution.risk import kill_switch
from execution.sending.dispatcher import Dispatcher, due_slices
from tests.integration.order_steps import new_order

pytestmark = pytest.mark.django_db(transaction=True)

SCHEDULING = Scheduling()


@pytest.mark.parametrize(
    ("due", "enqueued", "age", "again"),
    [
        (+5.0, None, 5.0, True),  # inside the horizon, and never enqueued
        (+5.0, None, 2.0, False),  # its order is being enqueued by whoever accepted it,
        (+0.9, None, 2.0, True),  # who should have done so: it is due soon
        (+0.9, None, 0.5, False),
        (+500.0, None, 5.0, False),  # beyond the horizon
        (+5.0, 1.0, 2.0, False),  # enqueued and not due yet
        (-0.2, 5.0, 5.0, False),  # due this moment: its task is being run
        (-2.0, 5.0, 5.0, True),  # overdue although it was enqueued: the task was lost
        (-2.0, 0.4, 5.0, False),  # enqueued just now
        (-8.0, 2.0, 9.0, False),  # late, and enqueued not long ago: the workers are busy
        (-8.0, 6.0, 9.0, True),
        (-2.0, None, 2.0, True),
    ],
)
def test_a_slice_is_enqueued(due: float, enqueued: float | None, age: float, again: bool) -> None:
    """`due` in seconds from now, `enqueued` seconds ago; `age` of the order in seconds."""
    now = timezone.now()
    order = new_order(parts=2)
    Order.objects.filter(pk=order.pk).update(created_at_real=now - timedelta(seconds=age))
    part = order.slices.get(sequence=0)
    order.slices.exclude(pk=part.pk).update(status="SKIPPED")
    order.slices.filter(pk=part.pk).update(
        due_at=now + timedelta(seconds=due),
        enqueued_at_real=None if enqueued is None else now - timedelta(seconds=enqueued),
    )
    found = [pk for pk, _ in due_slices(now, now, SCHEDULING)]
    assert found == ([part.pk] if again else [])


@pytest.mark.parametrize(
    ("later", "ago", "kind", "again"),
    [
        # What was due after it has been claimed: it was passed over.
        (+1.0, 0.1, EventKind.SLICE_SENDING, True),
        # What was due before it is being claimed: its turn comes.
        (-1.0, 0.1, EventKind.SLICE_SENDING, False),
        (-1.0, 2.0, EventKind.SLICE_SENDING, True),  # nobody claims anything
        (-1.0, 0.1, EventKind.SLICE_RESENDING, True),  # tells nothing of those that wait
    ],
)
def test_an_overdue_slice_is_enqueued_again(
    later: float, ago: float, kind: EventKind, again: bool
) -> None:
    """The last claim, `ago` seconds ago, was of a slice that was due so many seconds `later`."""
    now = timezone.now()
    order = new_order(parts=2)
    claimed, late = order.slices.order_by("sequence")
    due_at = now - timedelta(seconds=5)
    order.slices.update(due_at=due_at, enqueued_at_real=now - timedelta(seconds=60))
    order.slices.filter(pk=claimed.pk).update(
        status="SKIPPED", due_at=due_at + timedelta(seconds=later)
    )
    journal.record_event(order, kind, {}, at=now, part=claimed)
    OrderEvent.objects.update(recorded_at_real=now - timedelta(seconds=ago))
    found = [pk for pk, _ in due_slices(now, now, SCHEDULING)]
    assert found == ([late.pk] if again else [])


@pytest.mark.parametrize("status", ["PAUSED", "CANCELLING", "CANCELLED", "FILLED"])
def test_nothing_is_enqueued_of_an_order_that_may_not_send(status: str) -> None:
    order = new_order()
    filled = order.quantity if status == "FILLED" else 0
    Order.objects.filter(pk=order.pk).update(status=status, filled_quantity=filled)
    now = timezone.now()
    assert due_slices(now + timedelta(seconds=1), now, SCHEDULING) == []


def test_what_a_halt_has_put_off_is_enqueued_at_its_end_and_not_before() -> None:
    part, other = (new_order(parts=1, symbol=symbol).slices.get() for symbol in ("AAPL", "MSFT"))
    now = timezone.now()
    Slice.objects.update(
        status="PLANNED",
        enqueued_at_real=None,
        due_at=now - timedelta(seconds=2),
        reason="TRADING_HALTED: scope=SYMBOL AAPL, state=HALTED",
    )
    Order.objects.update(created_at_real=now - timedelta(seconds=9))
    scope = {"scope": "SYMBOL", "key": "AAPL", "by": "ann", "reason": "news"}
    kill_switch.set_state(state="HALTED", **scope)
    assert [pk for pk, _ in due_slices(now, now, SCHEDULING)] == [other.pk]
    kill_switch.set_state(state="ACTIVE", **scope)
    assert {pk for pk, _ in due_slices(now, now, SCHEDULING)} == {part.pk, other.pk}


def test_a_slice_that_is_being_claimed_is_left_alone() -> None:
    """The note that a task was published waits for nobody: it could be waited for in turn."""
    part = new_order(parts=2).slices.get(sequence=0)
    Slice.objects.update(enqueued_at_real=None, status="PLANNED")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM execution_slice WHERE id = %s FOR UPDATE", [part.pk])
        task_queue.enqueue_due([(part.pk, part.due_at)])
        part.refresh_from_db()
        assert (part.status, part.enqueued_at_real) == ("PLANNED", None)
        cursor.execute("ROLLBACK")
    other.close()
    task_queue.enqueue_due([(part.pk, part.due_at)])
    part.refresh_from_db()
    assert part.status == "QUEUED"


def test_the_second_loop_stands_by_and_takes_over() -> None:
    first, second = Dispatcher(SCHEDULING), Dispatcher(SCHEDULING)
    first.run_once()
    assert first.leads
    connection.close()
    second.run_once()
    assert second.leads


def test_a_broken_connection_costs_the_lead_and_not_the_loop() -> None:
    loop = Dispatcher(SCHEDULING)
    loop.run_once()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()
    loop.run_once()
    assert not loop.leads
    loop.run_once()
    assert loop.leads


def test_an_order_of_an_algorithm_that_is_gone_keeps_no_other_from_ending() -> None:
    gone, other = new_order(residual="EXTEND"), new_order()
    over = timezone.now() - timedelta(minutes=1)
    Order.objects.filter(pk__in=[gone.pk, other.pk]).update(
        start_at=over - timedelta(hours=1), end_at=over
    )
    Order.objects.filter(pk=gone.pk).update(algorithm="REMOVED")
    loop = Dispatcher(SCHEDULING)
    loop.run_once()
    other.refresh_from_db()
    assert other.status == "EXPIRED"
    assert loop.leads


def test_a_task_is_shown_by_its_slice_order_and_symbol() -> None:
    shown: list[str] = []

    def note(headers: dict[str, str], **_: object) -> None:
        shown.append(headers["argsrepr"])

    order = new_order(parts=2)
    first, second = order.slices.order_by("sequence")
    before_task_publish.connect(note)
    try:
        task_queue.enqueue_due([(first.pk, first.due_at)])
        task_queue.enqueue(task_queue.CLOSE, [second.pk])
    finally:
        before_task_publish.disconnect(note)
    assert shown == [
        f"(slice {first.pk}: 0 of order {order.pk} BUY AAPL)",
        f"(slice {second.pk}: 1 of order {order.pk} BUY AAPL)",
    ]


def test_the_loop_rests_longer_while_no_order_lives() -> None:
    def pause() -> float:
        loop, pauses = Dispatcher(SCHEDULING), list[float]()

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            loop.stopping = True

        loop.sleep = sleep
        loop.run()
        return pauses[0]

    assert pause() > SCHEDULING.tick_seconds
    new_order()
    assert pause() <= SCHEDULING.tick_seconds
