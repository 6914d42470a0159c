"""An order's way through web, dispatcher and worker, as an OTLP receiver and Sentry see it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from celery import current_app
from django.contrib.auth.models import User
from pytest_django import DjangoDbBlocker
from rest_framework.authtoken.models import Token

from deepstack.version import VERSION
from execution import task_queue
from execution.models import Order
from tests.stack import Process, SessionStacks, Stack, wait_for
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


@dataclass(frozen=True, slots=True)
class Traced:
    stack: Stack
    worker: Process
    web: Process
    received: Received


@pytest.fixture(scope="module")
def traced(session_stacks: SessionStacks, django_db_blocker: DjangoDbBlocker) -> Iterator[Traced]:
    """A worker, a dispatcher and a web process, which the tests of this module share."""
    with receiving() as received, django_db_blocker.unblock():
        stack = session_stacks.alone()
        stack.environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "SENTRY_DSN": received.dsn,
            # Later slices are the dispatcher's to enqueue.
            "EXECUTION__SCHEDULING__HORIZON_SECONDS": "1",
        }
        worker, _ = stack.team()
        yield Traced(stack, worker, stack.web(), received)
        received.answers.set()
        session_stacks.end()


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


def test_one_trace_from_the_signal_to_the_last_fill(traced: Traced) -> None:
    received = traced.received
    order = submit(traced.web)
    wait_for(lambda: named(received, "end order"), 40, "the end of the order to be traced")
    wait_for(lambda: len(named(received, "work slice")) >= 3, 10, "all slices' work")
    spans = list(received.spans)
    [trace] = {span.trace for span in spans}
    assert {span.about["deepstack.order.id"] for span in spans} == {order.pk}

    [root] = named(received, "accept order")
    assert (root.parent, root.links, root.process) == ("", (CALLERS_TRACE,), "web")
    for slice_id in order.slices.values_list("pk", flat=True):
        own = [span for span in spans if span.about.get("deepstack.slice.id") == slice_id]
        assert {span.name for span in own} >= set(STEPS)
        [work] = [span for span in own if span.name == "work slice"]
        assert (work.parent, work.process, work.kind) == (root.span, "worker", "CONSUMER")
        assert {span.parent for span in own if span.name in STEPS[2:]} == {work.span}
        assert not any(span.failed for span in own)
    assert {span.process for span in named(received, "enqueue slice")} == {"web", "dispatch"}
    fills = named(received, "book fill")
    assert sum(int(span.about["deepstack.fill.quantity"]) for span in fills) == SIGNAL["quantity"]

    assert f"trace {trace}" in traced.stack.manage("explain", str(order.pk)).stdout
    logged = map(json.loads, (traced.stack.folder / "deepstack.log").read_text().splitlines())
    assert {line["trace_id"] for line in logged if line["event"] == "FILL"} == {trace}


def test_an_error_of_a_worker_is_reported_without_the_secret_in_it(traced: Traced) -> None:
    secret = traced.stack.env()["SECRET_KEY"]
    current_app.send_task(task_queue.CLOSE, args=[secret])
    wait_for(lambda: traced.received.reports, 20, "the worker's error to be reported")
    text = json.dumps(traced.received.reports)
    assert "expected a number but got '***'" in text
    assert secret not in text
    report = traced.received.reports[0]
    assert (report["environment"], report["tags"]["process"]) == ("paper", "worker")
    assert report["release"] == f"deepstack-execution@{VERSION}"


def test_a_receiver_that_does_not_answer_holds_up_neither_an_order_nor_a_stop(
    traced: Traced,
) -> None:
    """Its requests are answered after a minute."""
    traced.received.answers.clear()
    order = submit(traced.web)
    done = Order.objects.filter(pk=order.pk, status="FILLED")
    wait_for(done.exists, 40, "the order to be filled")
    assert set(order.slices.values_list("attempt", flat=True)) == {1}
    assert traced.worker.stop(patience=25.0) == 0


def named(received: Received, name: str) -> list[Span]:
    return [span for span in received.spans if span.name == name]
