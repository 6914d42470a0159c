"""The health pages of a running web process, and what it answers while a store is away."""

import json
import re
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from deepstack.local import embedded_servers
from tests.faults import FAKETIME, clock_ahead, own_redis, read_only_database
from tests.stack import Process, Stack, wait_for

NOWHERE = "/nonexistent"
LONGEST_ANSWER = 5.0  # seconds


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
    return {name: part["ok"] for name, part in ask(web, "/readyz")[1]["parts"].items()}


def test_ready_while_a_worker_and_a_dispatcher_are_alive(empty_stack: Stack) -> None:
    web = empty_stack.web()
    stores = {"database": True, "migrations": True, "redis": True, "alerts": True}
    wait_for(
        lambda: states(web) == stores | {"dispatch": False, "worker": False},
        10,
        "processes of earlier tests to be forgotten",
    )
    assert ask(web, "/readyz")[0] == 503

    worker, _ = empty_stack.worker(), empty_stack.dispatcher()
    status, body, _ = ask(web, "/readyz")
    assert (status, body["status"]) == (200, "ready")

    worker.kill()
    wait_for(lambda: ask(web, "/readyz")[0] == 503, 10, "the killed worker to be missed")
    assert states(web) == stores | {"dispatch": True, "worker": False}
    assert ask(web, "/readyz")[1]["parts"]["worker"]["reason"] == "none seen for 5 s"


@pytest.fixture
def redis_url() -> Iterator[str]:
    with own_redis() as url:
        yield url


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("maxmemory", "100000", "its memory is full (maxmemory), it refuses writes"),
        ("min-replicas-to-write", "3", "too few replicas are connected, it refuses writes"),
    ],
)
def test_a_redis_that_refuses_writes_is_not_ready_although_it_answers(
    empty_stack: Stack, redis_url: str, setting: str, value: str, words: str
) -> None:
    web = empty_stack.web(REDIS_URL=redis_url)
    dispatcher = empty_stack.dispatcher(REDIS_URL=redis_url)
    worker = empty_stack.worker(REDIS_URL=redis_url)
    wait_for(lambda: ask(web, "/readyz")[0] == 200, 10, "all to be well")

    with redis.Redis.from_url(redis_url) as client:
        client.config_set(setting, value)
        assert client.ping()
        wait_for(lambda: not states(web)["worker"], 10, "the worker to notice")
        wait_for(lambda: not states(web)["dispatch"], 10, "the dispatcher to notice")
        status, body, _ = ask(web, "/readyz")
        assert status == 503
        assert body["parts"]["redis"] == {"ok": False, "reason": words}
        for name, process in (("worker", worker), ("dispatch", dispatcher)):
            assert str(process.pid) in body["parts"][name]["reason"]
            assert words in body["parts"][name]["reason"]
        client.config_set(setting, "0")
    wait_for(lambda: ask(web, "/readyz")[0] == 200, 10, "all to be well again")


def test_a_read_only_database_is_not_ready_although_it_answers(empty_stack: Stack) -> None:
    web = empty_stack.web()
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


def test_a_wrong_clock_is_named(empty_stack: Stack) -> None:
    if FAKETIME is None:
        pytest.skip("libfaketime is not installed")
    web, _ = empty_stack.web(), empty_stack.dispatcher()
    worker = empty_stack.worker(**clock_ahead(8))
    status, body, _ = ask(web, "/readyz")
    assert status == 503
    assert body["parts"]["worker"]["ok"], "it lives, whatever its clock shows"
    reason = body["parts"]["clocks"]["reason"]
    assert re.search(rf"{worker.pid} is [678]\.\d s ahead of the database's", reason)


def test_without_redis(empty_stack: Stack) -> None:
    web = empty_stack.web(REDIS_URL=f"unix://{NOWHERE}/redis.sock")
    status, body, _ = ask(web, "/readyz")
    assert status == 503
    assert body["parts"]["redis"] == {"ok": False, "reason": "does not answer"}
    assert body["parts"]["database"] == {"ok": True}
    assert ask(web, "/healthz")[0] == 200


@pytest.fixture
def frozen_redis(tmp_path: Path) -> Iterator[str]:
    """A Redis that accepts connections and never answers."""
    folder = embedded_servers.VAR / "test" / tmp_path.name
    with embedded_servers.started(folder, database=False) as services:
        process = psutil.Process(int((folder / "redis/redis.pid").read_text()))
        process.suspend()
        yield services.redis_url
        process.resume()
    embedded_servers.remove_abandoned(folder.parent)


def test_a_frozen_redis_is_not_waited_for(empty_stack: Stack, frozen_redis: str) -> None:
    web = empty_stack.web(REDIS_URL=frozen_redis)
    status, body, seconds = ask(web, "/readyz")
    assert status == 503
    assert not body["parts"]["redis"]["ok"]
    assert seconds < LONGEST_ANSWER


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
