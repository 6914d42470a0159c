"""A process whose clock is wrong gives up nothing that has its time before it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from execution.domain.lifecycle import SliceStatus
from execution.models import BrokerCursor
from tests.faults import FAKETIME, clock_ahead
from tests.integration.order_steps import new_order
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_clocks_an_hour_ahead_end_no_order(empty_stack: Stack) -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    BrokerCursor.objects.create(broker="paper", account="default", heard_until=long_ago)
    worker, _ = empty_stack.team(**clock_ahead(3_600))
    order = new_order(parts=2, window_minutes=30)
    declined = "left to workers whose clock is right"
    wait_for(lambda: declined in worker.output(), 20, "the worker to leave the first slice alone")
    polled = BrokerCursor.objects.filter(heard_until__gt=long_ago + timedelta(minutes=1))
    wait_for(polled.exists, 20, "it to ask the broker for executions")
    assert not polled.filter(heard_until__gt=timezone.now()).exists()
    worker.kill()
    empty_stack.worker()
    wait_for(order.fills.exists, 60, "a worker whose clock is right to send it")
    order.refresh_from_db()
    assert not order.is_terminal
    assert not order.slices.filter(status=SliceStatus.SKIPPED).exists()
