"""The health pages of a running web process, and what it answers while a store is away."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from pytest_django import DjangoDbBlocker

from tests.faults import FAKETIME, clock_ahead, own_redis, read_only_database
from tests.stack import Process, SessionStacks, Stack, wait_for

pytestmark = pytest.mark.any_date

NOWHERE = "/nonexistent"
LONGEST_ANSWER = 5.0  # seconds
PATIENCE = 20.0  # seconds


def ask(
    web: Process, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, Any], float]:
    """Status, JSON body and seconds of one request."""
    began = time.monotonic()
    connection = HTTPConnection(urlsplit(web.url).netloc, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    return answer.status, body, time.monotonic() - began


def states(web: Process) -> dict[str, bool]:
    return oks(ask(web, "/readyz")[1])


def oks(body: dict[str, Any]) -> dict[str, bool]:
    return {name: part["ok"] for name, part in body["parts"].items()}


def test_without_redis(empty_stack: Stack) -> None:
    web = empty_stack.web(REDIS_URL=f"unix://{NOWHERE}/redis.sock")
    status, body, _ = ask(web, "/readyz")
    assert status == 503
    assert body["parts"]["redis"] == {"ok": False, "reason": "does not answer"}
    assert body["parts"]["database"] == {"ok": True}
    assert ask(web, "/healthz")[0] == 200


def test_without_the_database_every_page_says_so(empty_stack: Stack) -> None:
    web = empty_stack.web(DATABASE_URL=f"postgresql://nobody@/none?host={NOWHERE}")
    for method, path in [
        ("GET", "/api/v1/orders/"),
        ("POST", "/api/v1/orders/"),
        ("GET", "/api/v1/alerts/"),
        ("GET", "/admin/execution/order/"),
    ]:
        login = {"Authorization": "Token x", "Cookie": f"sessionid={'x' * 32}"}
        status, body, seconds = ask(web, path, method, **login)
        assert (path, status, body["code"]) == (path, 503, "DATABASE_UNAVAILABLE")
        assert "Idempotency-Key" in body["detail"]
        assert NOWHERE not in body["detail"]
        assert seconds < LONGEST_ANSWER

    status, body, _ = ask(web, "/readyz")
    assert status == 503
    assert body["parts"]["database"] == {"ok": False, "reason": "does not answer"}
    assert ask(web, "/healthz")[0] == 200


@dataclass
class OwnRedis:
    """A web process, a worker and a dispatcher on a Redis that nobody else uses. Each test leaves
    them well, but for the last."""

    stack: Stack
    client: redis.Redis
    web: Process
    worker: Process
    dispatcher: Process

    def well(self) -> bool:
        return ask(self.web, "/readyz")[0] == 200


@pytest.fixture(scope="module")
def service(
    session_stacks: SessionStacks, django_db_blocker: DjangoDbBlocker
) -> Iterator[OwnRedis]:
    with django_db_blocker.unblock(), own_redis() as url, redis.Redis.from_url(url) as client:
        stack = session_stacks.alone()
        stack.environment["REDIS_URL"] = url
        worker, dispatcher = stack.team()
        yield OwnRedis(stack, client, stack.web(), worker, dispatcher)
        session_stacks.end()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("maxmemory", "100000", "its memory is full (maxmemory), it refuses writes"),
        ("min-replicas-to-write", "3", "too few replicas are connected, it refuses writes"),
    ],
)
def test_a_redis_that_refuses_writes_is_not_ready_although_it_answers(
    service: OwnRedis, setting: str, value: str, words: str
) -> None:
    web, client = service.web, service.client
    wait_for(service.well, PATIENCE, "all to be well")
    client.config_set(setting, value)
    try:
        assert client.ping()
        wait_for(lambda: not states(web)["worker"], 10, "the worker to notice")
        wait_for(lambda: not states(web)["dispatch"], 10, "the dispatcher to notice")
        status, body, _ = ask(web, "/readyz")
    finally:
        client.config_set(setting, "0")
    assert status == 503
    assert body["parts"]["redis"] == {"ok": False, "reason": words}
    for name, process in (("worker", service.worker), ("dispatch", service.dispatcher)):
        assert str(process.pid) in body["parts"][name]["reason"]
        assert words in body["parts"][name]["reason"]
    wait_for(service.well, PATIENCE, "all to be well again")


def test_a_frozen_redis_is_not_waited_for(service: OwnRedis) -> None:
    """It accepts connections and never answers."""
    wait_for(service.well, PATIENCE, "all to be well")
    process = psutil.Process(service.client.info("server")["process_id"])
    process.suspend()
    try:
        status, body, seconds = ask(service.web, "/readyz")
    finally:
        process.resume()
    assert status == 503
    assert not body["parts"]["redis"]["ok"]
    assert seconds < LONGEST_ANSWER


def test_a_read_only_database_is_not_ready_although_it_answers(service: OwnRedis) -> None:
    web = service.web
    wait_for(service.well, PATIENCE, "all to be well")
    with read_only_database():
        status, body, _ = ask(web, "/readyz")
        assert status == 503
        assert body["parts"]["database"] == {
            "ok": False,
            "reason": "takes no write: it is read-only",
        }
        user = {"Authorization": "Token x"}
        assert ask(web, "/api/v1/orders/", **user)[0] == 401, "reading goes on"
    wait_for(lambda: states(web)["database"], 10, "the page to recover by itself")


def test_a_wrong_clock_is_named(service: OwnRedis) -> None:
    if FAKETIME is None:
        pytest.skip("libfaketime is not installed")
    wait_for(service.well, PATIENCE, "all to be well")
    worker = service.stack.worker(**clock_ahead(8))
    try:
        status, body, _ = ask(service.web, "/readyz")
    finally:
        worker.kill()
    assert status == 503
    assert body["parts"]["worker"]["ok"], "it lives, whatever its clock shows"
    reason = body["parts"]["clocks"]["reason"]
    assert re.search(rf"{worker.pid} is [678]\.\d s ahead of the database's", reason)
    wait_for(service.well, PATIENCE, "it to be forgotten")


def test_ready_while_a_worker_and_a_dispatcher_are_alive(service: OwnRedis) -> None:
    web = service.web
    stores = {"database": True, "migrations": True, "redis": True, "alerts": True}
    everybody = stores | {"dispatch": True, "worker": True}

    def ready() -> bool:
        status, body, _ = ask(web, "/readyz")
        return (status, body["status"], oks(body)) == (200, "ready", everybody)

    wait_for(ready, PATIENCE, "each part to be well, in one answer")

    service.worker.kill()
    missed = stores | {"dispatch": True, "worker": False}
    wait_for(lambda: states(web) == missed, 20, "the killed worker, and it alone, to be missed")
    assert ask(web, "/readyz")[0] == 503
    assert ask(web, "/readyz")[1]["parts"]["worker"]["reason"] == "none seen for 5 s"

    service.dispatcher.kill()
    nobody = stores | {"dispatch": False, "worker": False}
    wait_for(lambda: states(web) == nobody, 10, "the killed dispatcher to be missed")
    assert ask(web, "/readyz")[0] == 503
