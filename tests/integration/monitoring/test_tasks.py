"""The watch with its real processes: beat, a worker, Redis, and an address that takes alerts."""

from datetime import timedelta
from functools import partial

import pytest
from celery import current_app
from django.utils import timezone

from execution.models import Order
from monitoring.models import Alert, DailySummary
from tests.integration.monitoring.receiver import Receiver, receiving
from tests.integration.monitoring.rows import filled
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


SECRET = "whsec_" + "A" * 32


def costly_order(ago: timedelta) -> Order:
    end = timezone.now() - ago
    start = end - timedelta(minutes=30)
    return filled("150.50", start_at=start, end_at=end, created_at=start, finished_at=end)


def has_arrived(receiver: Receiver, order: Order) -> bool:
    return any(body["order_id"] == order.pk for _, body in receiver.got)


def numbers(receiver: Receiver) -> list[int]:
    return [event["id"] for _, body in receiver.got for event in body["events"]]


def test_an_alert_is_out_within_five_seconds_of_its_event(empty_stack: Stack) -> None:
    with receiving() as receiver, receiving() as programs:
        empty_stack.worker(
            threads=2,
            ALERT_WEBHOOK_URL=receiver.url,
            WEBHOOKS__RECEIVERS__RISK__URL=programs.url,
            WEBHOOKS__RECEIVERS__RISK__SECRET=SECRET,
        )
        empty_stack.beat()
        # The first one may have to wait for beat, which has only just been started.
        for _ in range(2):
            order = costly_order(timedelta(minutes=1))
            wait_for(partial(has_arrived, receiver, order), 15, "the alert to arrive")
        event = order.events.get()
        assert timezone.now() - event.recorded_at_real < timedelta(seconds=5)
        wait_for(lambda: event.pk in numbers(programs), 10, "the order's event at the webhook")
        alert = Alert.objects.get(order=order, kind="SLIPPAGE")
        wait_for(
            lambda: (
                set(alert.deliveries.values_list("channel", "state"))
                == {("log", "SENT"), ("webhook", "SENT")}
            ),
            10,
            "the deliveries to be recorded",
        )


def test_a_worker_builds_what_is_missing(empty_stack: Stack) -> None:
    order = costly_order(timedelta(days=2))
    empty_stack.worker(threads=2)
    for _ in range(3):
        current_app.send_task("monitoring.tasks.build_summaries")
    wait_for(DailySummary.objects.exists, 15, "the summary")
    summary = DailySummary.objects.get()
    assert (summary.account, summary.total_executions) == (order.account, 1)
