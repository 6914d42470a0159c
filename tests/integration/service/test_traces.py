"""An order's way through web, dispatcher and worker, as an OTLP receiver and Sentry see it."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from celery import current_app
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token

from execution import task_queue
from execution.models import Order
from tests.stack import Process, Stack, wait_for
from tests.telemetry_receiver import Received, Span, receiving

pytestmark = pytest.mark.any_date

CALLERS_TRACE = "0af7651916cd43dd8448eb211c80319c"
SIGNAL = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 300,
    "algorithm": "TWAP",
    "slices": 3,
    "window_minutes": 0.1,
}
STEPS = ("enqueue slice", "work slice", "ask market", "claim slice", "send to broker", "book fill")


@pytest.fixture
def received() -> Iterator[Received]:
    with receiving() as receiver:
        yield receiver


def submit(web: Process) -> Order:
    user, _ = User.objects.get_or_create(username="tracer", is_superuser=True)
    token, _ = Token.objects.get_or_create(user=user)
    headers = {
        "Authorization": f"Token {token.key}",
        "Content-Type": "application/json",
        "traceparent": f"00-{CALLERS_TRACE}-b7ad6b7169203331-01",
    }
    connection = HTTPConnection(urlsplit(web.url).netloc, timeout=30)
    connection.request("POST", "/api/v1/orders/", json.dumps(SIGNAL), headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    user.delete()
    return Order.objects.get(pk=answer["id"])


def test_one_trace_from_the_signal_to_the_last_fill_and_an_error_without_its_secret(
    empty_stack: Stack, received: Received
) -> None:
    empty_stack.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "SENTRY_DSN": received.dsn,
        # Later slices are the dispatcher's to enqueue.
        "EXECUTION__SCHEDULING__HORIZON_SECONDS": "1",
    }
    empty_stack.team()
    order = submit(empty_stack.web())

    def ended() -> list[Span]:
        return [span for span in received.spans if span.name == "end order"]

    wait_for(ended, 40, "the end of the order to be traced")
    trace = ended()[0].trace
    wait_for(lambda: len(named(received, "work slice")) >= 3, 10, "all slices' work")
    spans = received.of_trace(trace)
    assert spans == received.spans
    assert {span.about["deepstack.order.id"] for span in spans} == {order.pk}

    [root] = named(received, "accept order")
    assert (root.parent, root.links, root.process) == ("", (CALLERS_TRACE,), "web")
    for slice_id in order.slices.values_list("pk", flat=True):
        own = [span for span in spans if span.about.get("deepstack.slice.id") == slice_id]
        assert {span.name for span in own} >= set(STEPS)
        [work] = [span for span in own if span.name == "work slice"]
        assert (work.parent, work.process, work.kind) == (root.span, "worker", "CONSUMER")
        within = [span for span in own if span.name in STEPS[2:]]
        assert {span.parent for span in within} == {work.span}
        assert not any(span.failed for span in own)
    assert {span.process for span in named(received, "enqueue slice")} == {"web", "dispatch"}
    assert (
        sum(int(span.about["deepstack.fill.quantity"]) for span in named(received, "book fill"))
        == 300
    )

    secret = empty_stack.env()["SECRET_KEY"]
    current_app.send_task(task_queue.CLOSE, args=[secret])
    wait_for(lambda: received.reports, 20, "the worker's error to be reported")
    report = received.reports[0]
    text = json.dumps(received.reports)
    assert "expected a number but got '***'" in text
    assert secret not in text
    assert (report["environment"], report["tags"]["process"]) == ("paper", "worker")
    assert report["release"] == "deepstack-execution@1.0.0"


def named(received: Received, name: str) -> list[Span]:
    return [span for span in received.spans if span.name == name]
