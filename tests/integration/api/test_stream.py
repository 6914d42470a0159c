"""The event stream of a running process: gapless, resumable, for those who may see orders."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.authtoken.models import Token

from deepstack import processes
from execution.models import Order, OrderEvent
from tests.integration.monitoring.rows import add_event, store_order
from tests.stack import Process, Stack, free_port, status_of, wait_for

PATH = "/api/v1/orders/stream"


def working(**changes: Any) -> Order:
    """Paused, and far from its end: nobody of the stack touches it."""
    now = timezone.now()
    times = {"start_at": now, "created_at": now, "end_at": now + timedelta(days=1)}
    return store_order(status="PAUSED", finished_at=None, **times, **changes)


@pytest.fixture
def stream(stack: Stack) -> Iterator[Process]:
    address = f"127.0.0.1:{free_port()}"
    process = stack.start("stream", processes.stream(address))
    process.url = f"http://{address}"
    wait_for(lambda: status_of(f"{process.url}/healthz") == 200, 30, "the stream to answer")
    yield process
    assert process.stop() in (0, -15)
    stack.members.remove(process)


@pytest.fixture
def token(stack: Stack) -> str:
    user, new = User.objects.get_or_create(username="listens")
    if new:
        user.user_permissions.add(Permission.objects.get(codename="view_order"))
    return str(Token.objects.get_or_create(user=user)[0].key)


class Listener:
    """Keeps what it hears, in a thread of its own."""

    def __init__(self, process: Process, token: str, query: str = "", **headers: str) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answer = requests.get(
            f"{process.url}{PATH}{query}",
            headers={"Authorization": f"Token {token}", **headers},
            stream=True,
            timeout=20,
        )
        assert self.answer.status_code == 200, self.answer.text
        self._lines = self.answer.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(self._lines) == "retry: 1000"
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for line in self._lines:
                if line.startswith("data: "):
                    self.heard.append(json.loads(line.removeprefix("data: ")))
        except (requests.RequestException, AttributeError, ValueError):
            return  # hung up

    @property
    def numbers(self) -> list[int]:
        return [each["id"] for each in self.heard]

    def hang_up(self) -> None:
        connection = self.answer.raw._connection or self.answer.raw.connection
        if connection is not None and connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        self.answer.close()


@contextmanager
def listening(*args: Any, **headers: str) -> Iterator[Listener]:
    listener = Listener(*args, **headers)
    try:
        yield listener
    finally:
        listener.hang_up()


@contextmanager
def under_way(act: Callable[[], object]) -> Iterator[None]:
    """`act` in a transaction of another session, committed at the end of the block."""
    done, finish = threading.Event(), threading.Event()

    def work() -> None:
        with transaction.atomic():
            act()
            done.set()
            finish.wait(20)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert done.wait(20)
    try:
        yield
    finally:
        finish.set()
        thread.join(20)


def heard(listener: Listener, events: list[OrderEvent]) -> None:
    wanted = sorted(event.pk for event in events)
    wait_for(lambda: sorted(listener.numbers) == wanted, 10, f"{wanted}, not {listener.numbers}")


def tell(order: Order, n: int = 1) -> list[OrderEvent]:
    return [add_event(order, "ORDER_REASON", reason=f"{number}") for number in range(n)]


def test_events_arrive_as_they_happen(stream: Process, token: str) -> None:
    order, other = working(account="one"), working(account="two")
    with (
        listening(stream, token, "?account=one") as mine,
        listening(stream, token, f"?order={other.pk}") as others,
    ):
        told, apart = tell(order, 3), tell(other, 2)
        heard(mine, told)
        heard(others, apart)
    first = mine.heard[0]
    assert first["kind"] == "ORDER_REASON"
    assert first["data"] == {"reason": "0"}
    assert (first["order_id"], first["account"], first["symbol"]) == (order.pk, "one", "AAPL")


def test_an_event_committed_after_a_later_number_is_not_lost(stream: Process, token: str) -> None:
    order = working()
    early: list[OrderEvent] = []
    with listening(stream, token, f"?order={order.pk}") as listener:
        with under_way(lambda: early.extend(tell(order))):
            later = tell(order)
        assert early[0].pk < later[0].pk
        heard(listener, early + later)


def test_a_client_that_comes_back_misses_none_and_gets_none_twice(
    stream: Process, token: str
) -> None:
    order = working()
    first = tell(order, 2)
    query = f"?order={order.pk}"
    begin = OrderEvent.objects.filter(order=order).earliest("pk")
    with listening(stream, token, query, **{"Last-Event-ID": str(begin.pk)}) as listener:
        heard(listener, first)
    early: list[OrderEvent] = []
    with under_way(lambda: early.extend(tell(order))):
        missed = tell(order, 3)
    last = {"Last-Event-ID": str(listener.numbers[-1])}
    with listening(stream, token, query, **last) as again:
        heard(again, early + missed)
        live = tell(order, 2)
        heard(again, early + missed + live)
    for place, number in enumerate(again.numbers):
        with listening(stream, token, query, **{"Last-Event-ID": str(number)}) as resumed:
            wait_for(
                lambda want=again.numbers[place + 1 :], resumed=resumed: resumed.numbers == want,
                10,
                f"what came after {number}",
            )


def test_zero_begins_with_the_order(stream: Process, token: str) -> None:
    order = working()
    tell(order, 2)
    events = list(OrderEvent.objects.filter(order=order))
    with listening(stream, token, f"?order={order.pk}&last_event_id=0") as listener:
        heard(listener, events)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?last_event_id=0", "for one order only"),
        (f"?last_event_id={2**62}", "there is no event"),
        ("?order=x", "order"),
        ("?ordre=1", "is none of"),
    ],
)
def test_a_wrong_question_is_told(stream: Process, token: str, query: str, words: str) -> None:
    answer = requests.get(
        stream.url + PATH + query, headers={"Authorization": f"Token {token}"}, timeout=20
    )
    assert (answer.status_code, words in answer.text) == (400, True), answer.text


def test_only_who_may_see_orders_listens(stream: Process) -> None:
    user, _ = User.objects.get_or_create(username="sees nothing")
    key = Token.objects.get_or_create(user=user)[0].key
    headers = [{}, {"Authorization": "Token wrong"}, {"Authorization": f"Token {key}"}]
    codes = [
        requests.get(stream.url + PATH, headers=each, timeout=20).status_code for each in headers
    ]
    assert codes == [401, 401, 403]


def test_the_stream_process_serves_nothing_else(stream: Process) -> None:
    assert status_of(f"{stream.url}/admin/login/") == 404
    assert status_of(f"{stream.url}/api/v1/orders/") == 404
