"""Each event is judged once, however late it is committed and whoever looks."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from execution.models import OrderEvent
from monitoring.alerting import unread_events
from monitoring.clocks import Moment
from monitoring.models import Alert, AlertDelivery, EventCursor
from tests.integration.monitoring.looks import Silent, conflict, look
from tests.integration.monitoring.rows import (
    NOON,
    add_event,
    after,
    child,
    filled,
    store_order,
    working,
)

pytestmark = pytest.mark.django_db


def test_an_event_that_is_committed_late_is_not_missed() -> None:
    """Events are numbered when written and appear when committed, in another order."""
    slow = filled("150.50")
    event = OrderEvent.objects.get()
    number, event.pk = event.pk, event.pk + 1_000
    OrderEvent.objects.all().delete()
    quick = store_order(status="CANCELLED")
    moment = Moment(now=NOON, real_now=quick.events.get().recorded_at_real + timedelta(seconds=30))
    assert look(moment) == []
    OrderEvent.objects.create(
        pk=number, order=slow, kind="ORDER_STATUS", data={}, at=slow.created_at
    )
    assert look(after(moment, seconds=2)) == [("SLIPPAGE", "WARNING")]


def test_the_mark_moves_on_once_every_transaction_of_its_moment_has_ended() -> None:
    order = working()
    event = add_event(order, "ORDER_STATUS")
    look()
    look()
    assert EventCursor.objects.get().event_id == 0
    EventCursor.objects.update(next_noted_at_real=F("next_noted_at_real") - timedelta(seconds=100))
    later = add_event(order, "ORDER_STATUS")
    look()
    mark = EventCursor.objects.get()
    assert (mark.event_id, mark.next_event_id) == (event.pk, later.pk)


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_committed_late_under_an_old_number_is_told() -> None:
    order, other = working(), working()

    def late(written: threading.Event, commit: threading.Event) -> None:
        try:
            with transaction.atomic():
                conflict(order)
                written.set()
                commit.wait(30)
        finally:
            connection.close()

    written, commit = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(late, written, commit)
        assert written.wait(10)
        add_event(other, "ORDER_STATUS")
        assert look() == []
        commit.set()
        writer.result()
    assert look() == [("FILL_CONFLICT", "CRITICAL")]


@pytest.mark.django_db(transaction=True)
def test_what_was_read_is_not_judged_again() -> None:
    conflict(working())
    assert look() == [("FILL_CONFLICT", "CRITICAL")]
    working()  # a later transaction
    look()
    heard = unread_events.read()
    assert heard.alerting == []


@pytest.mark.django_db(transaction=True)
def test_a_restored_database_is_read_from_the_mark() -> None:
    look()
    EventCursor.objects.update(seen_until=2**40)
    conflict(working())
    assert look() == [("FILL_CONFLICT", "CRITICAL")]


@pytest.mark.django_db(transaction=True)
def test_the_newest_of_very_many_events_is_an_alert_within_five_seconds() -> None:
    orders = [working() for _ in range(400)]
    at = orders[0].created_at
    OrderEvent.objects.bulk_create(
        [
            OrderEvent(order=orders[n % 400], kind="SLICE_STATUS", data={"to": "FILLED"}, at=at)
            for n in range(25_000)
        ],
        batch_size=5_000,
    )
    conflict(orders[0])
    began = time.monotonic()
    assert look(market=Silent()) == [("FILL_CONFLICT", "CRITICAL")]
    assert time.monotonic() - began < 5

    # And the next look, a second later, has little left to do.
    conflict(orders[1])
    began = time.monotonic()
    assert len(look(market=Silent())) == 2
    assert time.monotonic() - began < 2.5


def test_of_several_looks_at_a_time_one_is_taken() -> None:
    assert unread_events.take_turn()
    assert not unread_events.take_turn()
    EventCursor.objects.update(evaluated_at_real=F("evaluated_at_real") - timedelta(seconds=1))
    assert not unread_events.take_turn(timedelta(seconds=3))
    assert unread_events.take_turn()


def test_a_look_takes_a_handful_of_queries_however_many_orders_there_are() -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            look(market=Silent())
        return len(captured)

    look()
    few = queries()
    for _ in range(30):
        working()
        child(working(end_at=NOON - timedelta(minutes=5)), status="REJECTED")
    many = queries()
    assert few <= 21
    assert many <= few + 22


@pytest.mark.django_db(transaction=True)
def test_several_processes_may_look_at_once() -> None:
    for _ in range(3):
        filled("150.50")

    def once(_: int) -> None:
        try:
            look(market=Silent())
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, range(8)))
    assert Alert.objects.count() == AlertDelivery.objects.count() == 3
