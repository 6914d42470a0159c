"""One web process, and those who would keep others from it."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token

from deepstack.web.login_throttle import MOST_TRIES, Throttle
from deepstack.web.request_lanes import Lane, Lanes
from tests.stack import Process, Stack, wait_for

pytestmark = pytest.mark.any_date

HALT = {"scope": "SYMBOL", "key": "TSLA", "reason": "drill"}
PATIENCE = 5.0  # seconds; the machine of a test is busy with other tests


@pytest.fixture
def served(stack: Stack) -> Iterator[tuple[Process, str, Stack]]:
    user, _ = User.objects.get_or_create(username="risk-of-lanes", is_superuser=True)
    token, _ = Token.objects.get_or_create(user=user)
    web = next((each for each in stack.members if each.url and each.alive), None) or stack.web()
    yield web, token.key, stack
    user.delete()


def ask(
    web: Process, method: str, path: str, body: Any = None, token: str = ""
) -> tuple[int, str, dict[str, str], bytes]:
    """Status, content type, headers and body of one request on a connection of its own."""
    headers = {"Authorization": f"Token {token}"} if token else {}
    text = json.dumps(body) if body is not None else None
    if text:
        headers["Content-Type"] = "application/json"
    connection = HTTPConnection(urlsplit(web.url).netloc, timeout=30)
    try:
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        told = dict(answer.getheaders())
        return answer.status, told.get("Content-Type", ""), told, answer.read()
    finally:
        connection.close()


def test_a_halt_does_not_wait_for_sixty_who_guess_passwords(
    served: tuple[Process, str, Stack],
) -> None:
    web, token, _ = served
    guess = {"username": "risk-of-lanes", "password": "wrong"}

    def login(_: int) -> tuple[int, str]:
        status, kind, headers, _ = ask(web, "POST", "/api/v1/token/", guess)
        assert status == 400 or "Retry-After" in headers
        return status, kind

    with ThreadPoolExecutor(60) as guessers:
        guesses = [guessers.submit(login, number) for number in range(60)]
        began = time.monotonic()
        status, *_ = ask(web, "POST", "/api/v1/halt/", HALT, token)
        took = time.monotonic() - began
        seen = Counter(each.result() for each in guesses)
    ask(web, "POST", "/api/v1/resume-trading/", HALT, token)
    assert status == 200
    assert took < PATIENCE
    assert {status for status, _ in seen} <= {400, 429, 503}
    assert {kind for _, kind in seen} == {"application/problem+json"}


def test_clients_that_say_nothing_hold_nobody_up(served: tuple[Process, str, Stack]) -> None:
    web, token, _ = served
    address = urlsplit(web.url)
    silent = [socket.create_connection((address.hostname, address.port)) for _ in range(120)]
    try:
        began = time.monotonic()
        assert ask(web, "POST", "/api/v1/halt/", HALT, token)[0] == 200
        assert time.monotonic() - began < PATIENCE
    finally:
        for each in silent:
            each.close()
    ask(web, "POST", "/api/v1/resume-trading/", HALT, token)


def test_a_kept_connection_outlives_a_pause(served: tuple[Process, str, Stack]) -> None:
    web, _, _ = served
    connection = HTTPConnection(urlsplit(web.url).netloc, timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read()
    first = connection.sock
    first.settimeout(3)  # gunicorn by itself closes after two seconds
    with pytest.raises(TimeoutError):
        first.recv(1)
    first.settimeout(30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    assert connection.sock is first
    connection.close()


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET /api/v1/orders/?q=" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/orders/ HTTP/9.9\r\n\r\n",
        b"G\0T /api/v1/orders/ HTTP/1.1\r\n\r\n",
        b"GET /api/v1/orders/ HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n",
        b"GET /api/v1/orders/ HTTP/1.1\r\nHost: a b<>\r\n\r\n",
        b"POST /api/v1/orders/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/orders/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/v1/orders/ HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n",
        b"GET /api/v1/%ff%zz%/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/orders/?symbol=%zz%ff HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\r\n\r\n",
    ],
)
def test_what_is_hardly_http_is_answered_with_a_problem(
    served: tuple[Process, str, Stack], request_text: bytes
) -> None:
    address = urlsplit(served[0].url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as client:
        client.sendall(request_text)
        answer = client.recv(65_536)
    status = int(answer.split(b" ", 2)[1])
    assert 400 <= status < 500, answer
    assert b"application/problem+json" in answer
    assert b"<html" not in answer.lower()


def test_logins_and_writes_are_one_line_each_without_secrets(
    served: tuple[Process, str, Stack],
) -> None:
    web, token, stack = served
    ask(web, "POST", "/api/v1/token/", {"username": "no such\nuser", "password": "s3cret-word"})
    ask(web, "POST", "/api/v1/resume-trading/", HALT, token)
    log = stack.folder / "deepstack.log"

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in log.read_text().splitlines()]

    def written(event: str, **wanted: Any) -> bool:
        return any(line["event"] == event and wanted.items() <= line.items() for line in lines())

    here = {"address": "127.0.0.1"}
    wait_for(
        lambda: written("login failed", user="no such\nuser", path="/api/v1/token/", **here),
        10,
        "the failed login to be logged",
    )
    wait_for(
        lambda: written(
            "write",
            user="risk-of-lanes",
            path="/api/v1/resume-trading/",
            method="POST",
            status=200,
            **here,
        ),
        10,
        "the write to be logged",
    )
    assert "s3cret-word" not in log.read_text()
    assert token not in log.read_text()


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_five_wrong_passwords_of_one_name_make_its_address_wait() -> None:
    clock = Seconds()
    throttle = Throttle(clock)
    for _ in range(5):
        assert throttle.wait("1.2.3.4", "ann") == 0
        throttle.failed("1.2.3.4", "ann")
    assert throttle.wait("1.2.3.4", "ann") == 60
    assert throttle.wait("1.2.3.4", "bob") == 0
    assert throttle.wait("5.6.7.8", "ann") == 0  # nobody locks her out from afar
    clock.now = 61.0
    assert throttle.wait("1.2.3.4", "ann") == 0


def test_ten_wrong_passwords_of_any_names_make_an_address_wait() -> None:
    clock = Seconds()
    throttle = Throttle(clock)
    for number in range(10):
        throttle.failed("1.2.3.4", f"user {number}")
        clock.now += 1
    assert throttle.wait("1.2.3.4") == 50
    assert throttle.wait("1.2.3.4", "ann") == 50


def test_a_right_password_forgets_the_wrong_ones_of_that_name() -> None:
    throttle = Throttle(Seconds())
    for _ in range(4):
        throttle.failed("1.2.3.4", "ann")
    throttle.succeeded("1.2.3.4", "ann")
    throttle.failed("1.2.3.4", "ann")
    assert throttle.wait("1.2.3.4", "ann") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:1.2.3.4", "1.2.3.4", True),
        ("[2001:db8:1:2::1]", "2001:db8:1:2::2", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("unix:", "unix:", True),
    ],
)
def test_whoever_has_a_whole_ipv6_network_is_one_guesser(one: str, other: str, same: bool) -> None:
    throttle = Throttle(Seconds())
    for number in range(10):
        throttle.failed(one, f"user {number}")
    assert (throttle.wait(other) > 0) == same
    assert (len({throttle.tried(one), throttle.tried(other)}) == 2) == same


def test_tries_are_forgotten_after_a_minute() -> None:
    clock = Seconds()
    throttle = Throttle(clock)
    assert [throttle.tried("1.2.3.4") for _ in range(20)] == [*range(1, 11), *[10] * 10]
    assert throttle.tried("5.6.7.8") == 1
    clock.now = 61.0
    assert throttle.tried("1.2.3.4") == 1


def queued(pool: ThreadPoolExecutor, lane: Lane, tries: int) -> "Future[bool]":
    """Somebody who waits for a place, and says whether it came."""

    def wait() -> bool:
        with lane.place(tries=tries) as got:
            return bool(got)

    before = lane.waiting
    found = pool.submit(wait)
    wait_for(lambda: found.done() or lane.waiting > before, PATIENCE, "somebody to wait")
    return found


def test_who_has_tried_least_often_is_let_in_next() -> None:
    lane = Lane(places=1, queue=3, seconds=PATIENCE)
    order: list[int] = []

    def wait(tries: int) -> None:
        with lane.place(tries=tries) as got:
            assert got
            order.append(tries)

    with ThreadPoolExecutor(3) as pool, lane.place(tries=1):
        for number, tries in enumerate((9, 2, 5), 1):
            pool.submit(wait, tries)
            wait_for(lambda number=number: lane.waiting == number, PATIENCE, "the queue")
    assert order == [2, 5, 9]


def test_a_full_queue_turns_away_who_has_tried_most_often() -> None:
    lane = Lane(places=1, queue=2, seconds=PATIENCE)
    with ThreadPoolExecutor(4) as pool:
        with lane.place():
            often, less = queued(pool, lane, 10), queued(pool, lane, 3)
            assert queued(pool, lane, 10).result() is False  # no better than who waits
            first_time = pool.submit(lane._take, 1)
            assert often.result() is False
            wait_for(lambda: lane.waiting == 2, PATIENCE, "the first try to wait")
        assert first_time.result() is True
        lane._pass_on()
        assert less.result() is True
    with lane.place() as got:
        assert got


def test_who_waits_too_long_is_turned_away_and_leaves_no_place_behind() -> None:
    lane = Lane(places=1, queue=2, seconds=0.01)
    with lane.place(), lane.place() as second:
        assert not second
        assert lane.waiting == 0
    with lane.place() as got, lane.place() as none:
        assert got
        assert not none


def test_an_address_from_which_somebody_logged_in_comes_first() -> None:
    throttle = Throttle(Seconds())
    assert [throttle.tried("1.2.3.4"), throttle.tried("5.6.7.8")] == [1, 1]
    throttle.succeeded("1.2.3.4", "ann")
    assert [throttle.tried("1.2.3.4"), throttle.tried("5.6.7.8")] == [0, 2]


def test_who_guesses_comes_behind_the_owner_who_logs_in_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guessed, hashing, over = Throttle(), threading.Event(), threading.Event()
    monkeypatch.setattr("deepstack.web.login_throttle.throttle", guessed)
    guessers = [f"6.6.6.{number}" for number in range(5)]
    for address in guessers * MOST_TRIES:
        guessed.tried(address)
    served: list[str] = []

    def slow(environ: dict[str, Any], start: Any) -> list[bytes]:
        hashing.set()
        assert over.wait(PATIENCE)
        served.append(environ["REMOTE_ADDR"])
        start("200 OK", [])
        return []

    lanes, statuses = Lanes(slow), {}

    def login(address: str, path: str = "/api/v1/token/") -> str:
        asked = {"PATH_INFO": path, "REQUEST_METHOD": "POST", "REMOTE_ADDR": address}
        lanes(asked, lambda line, headers: statuses.__setitem__(address, line))
        return str(statuses[address])

    with ThreadPoolExecutor(6) as pool:
        guesses = [pool.submit(login, guessers[0])]
        assert hashing.wait(PATIENCE)
        for number, address in enumerate(guessers[1:], 1):
            guesses.append(pool.submit(login, address))
            wait_for(lambda n=number: lanes._login.waiting == n, PATIENCE, "the queue to grow")
        owner = pool.submit(login, "1.2.3.4", "/admin/login/")
        assert guesses[-1].result().startswith("503 ")  # its place in the queue is the owner's
        over.set()
        assert owner.result() == "200 OK"
    assert served[:2] == [guessers[0], "1.2.3.4"]


def test_a_million_addresses_do_not_fill_the_memory() -> None:
    throttle = Throttle(Seconds())
    for number in range(30_000):
        throttle.failed(str(number), "ann")
        throttle.tried(str(number))
    assert len(throttle._failures) <= 10_002
    assert len(throttle._tries) <= 10_001
