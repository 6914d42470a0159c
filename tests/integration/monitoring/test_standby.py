"""Alerts leave while Redis, Celery or PostgreSQL cannot help them: real processes, real faults."""

import re
from collections.abc import Iterator
from functools import partial

import pytest
import redis

from monitoring.models import Alert, AlertDelivery, EventCursor
from tests.faults import FAKETIME, clock_ahead, own_redis, read_only_database
from tests.integration.monitoring.receiver import Receiver, receiving
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def heard(receiver: Receiver, kind: str) -> list[str]:
    return [str(body["message"]) for _, body in receiver.got if body["kind"] == kind]


def test_a_full_redis_is_told_while_it_is_full(empty_stack: Stack, receiver: Receiver) -> None:
    with own_redis() as url, redis.Redis.from_url(url) as client:
        empty_stack.environment |= {"REDIS_URL": url, "ALERT_WEBHOOK_URL": receiver.url}
        empty_stack.worker(threads=2)
        empty_stack.beat()
        empty_stack.dispatcher()
        client.config_set("maxmemory", "100000")
        told = partial(heard, receiver, "PROCESS_TROUBLE")
        wait_for(told, 20, "the alert")
        assert "its memory is full (maxmemory), it refuses writes" in told()[0]
        assert client.config_get("maxmemory") == {"maxmemory": "100000"}, "it is full still"
        empty_stack.kill_all()


def test_a_redis_that_is_gone_is_told(empty_stack: Stack, receiver: Receiver) -> None:
    empty_stack.dispatcher(
        REDIS_URL="unix:///nonexistent/redis.sock", ALERT_WEBHOOK_URL=receiver.url
    )
    wait_for(partial(heard, receiver, "PROCESS_TROUBLE"), 20, "the alert")
    assert "Redis takes no tasks: does not answer" in heard(receiver, "PROCESS_TROUBLE")[0]
    alert = Alert.objects.get(kind="PROCESS_TROUBLE")
    sent = AlertDelivery.objects.filter(alert=alert, state="SENT")
    wait_for(lambda: sent.count() == 2, 10, "the deliveries to be recorded")


def test_a_read_only_database_is_told_then_and_stored_afterwards(
    empty_stack: Stack, receiver: Receiver
) -> None:
    empty_stack.dispatcher(ALERT_WEBHOOK_URL=receiver.url)
    wait_for(EventCursor.objects.filter(evaluated_at_real__isnull=False).exists, 20, "a first look")
    told = partial(heard, receiver, "DATABASE_AWAY")
    with read_only_database():
        wait_for(told, 20, "the alert that cannot be stored")
        assert "takes no write since" in told()[0]
    wait_for(Alert.objects.filter(kind="DATABASE_AWAY").exists, 20, "the alert to be stored")
    wait_for(lambda: len(told()) == 2, 20, "it to be delivered")
    assert "took no write from" in told()[1]


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_a_worker_with_a_wrong_clock_lets_no_task_expire(
    empty_stack: Stack, receiver: Receiver
) -> None:
    worker = empty_stack.worker(threads=2, ALERT_WEBHOOK_URL=receiver.url, **clock_ahead(8))
    empty_stack.beat()
    told = partial(heard, receiver, "WRONG_CLOCK")
    wait_for(told, 20, "the alert that this worker itself has raised")
    # What the measurement itself took is left out.
    seconds = re.search(rf"{worker.pid} is (\d\.\d) s ahead of the database's", told()[0])
    assert seconds is not None
    assert 6 <= float(seconds[1]) <= 8
