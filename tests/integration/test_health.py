"""The health pages of a running web process, and what it answers while a store is away."""

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from deepstack import embedded
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
    stores = {"database": True, "migrations": True, "redis": True}
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
    folder = embedded.VAR / "test" / tmp_path.name
    with embedded.started(folder, database=False) as services:
        process = psutil.Process(int((folder / "redis/redis.pid").read_text()))
        process.suspend()
        yield services.redis_url
        process.resume()
    embedded.remove_abandoned(folder.parent)


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
