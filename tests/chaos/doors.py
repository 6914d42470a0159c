"""What a caller meets while a store is away: never a hanging request, never an order half taken."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import connection
from rest_framework.authtoken.models import Token

from execution.models import Order
from tests.chaos.ground import Ground
from tests.chaos.venue import wait_until
from tests.second_factor import enrolled
from tests.stack import Process

LONGEST_ANSWER = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one order that was sent while a store was away."""

    situation: str
    status: int
    seconds: float
    stored: bool
    ended: bool  # once the store was back

    @property
    def clean(self) -> bool:
        promised = self.stored and self.ended if self.status == 201 else self.status == 503
        return promised and self.seconds <= LONGEST_ANSWER

    def line(self) -> str:
        kept = f"stored {self.stored}, ended {self.ended}"
        return f"order while {self.situation}: {self.status} in {self.seconds:.2f} s; {kept}"


def knock(ground: Ground) -> Iterator[Answer]:
    """Send one order in each situation, twice over the connections that the web process holds."""
    user = User.objects.create_superuser(f"chaos-{time.time_ns()}")
    enrolled(user)
    key = Token.objects.create(user=user).key
    ground.broker.behave(partial=0.0)  # an order ends as soon as it was sent
    web = ground.stack.web()
    for name, away in SITUATIONS.items():
        ground.mend(**ground.env)
        _order(web, key, f"warm-{time.time_ns()}")
        reference = f"door-{time.time_ns()}"
        with away(ground):
            status, seconds = _order(web, key, reference)
        connection.close()
        yield Answer(name, status, seconds, *_outcome(reference))
    web.kill()


def _order(web: Process, key: str, reference: str) -> tuple[int, float]:
    began = time.monotonic()
    client = HTTPConnection(urlsplit(web.url).netloc, timeout=30)
    order = {"symbol": "AAPL", "side": "BUY", "quantity": 10, "algorithm": "MARKET"}
    headers = {
        "Authorization": f"Token {key}",
        "Content-Type": "application/json",
        "Idempotency-Key": reference,
    }
    client.request("POST", "/api/v1/orders/", json.dumps(order), headers)
    answer = client.getresponse()
    said = answer.read()
    if answer.status not in (201, 503):
        raise RuntimeError(f"an order was answered {answer.status}: {said.decode()[:500]}")
    return answer.status, time.monotonic() - began


def _outcome(reference: str) -> tuple[bool, bool]:
    orders = Order.objects.filter(client_reference=reference)
    if not orders.exists():
        return False, False
    try:
        wait_until(lambda: orders.get().is_terminal, 30, "the order to end")
    except TimeoutError:
        return True, False
    return True, True


@contextmanager
def _redis_dead(ground: Ground) -> Iterator[None]:
    ground.signal_redis(signal.SIGKILL)
    yield
    ground.start_redis()


@contextmanager
def _redis_frozen(ground: Ground) -> Iterator[None]:
    ground.signal_redis(signal.SIGSTOP)
    yield
    ground.signal_redis(signal.SIGCONT)


@contextmanager
def _postgres_dead(ground: Ground) -> Iterator[None]:
    connection.close()
    ground.crash_postgres()
    yield
    ground.start_postgres()


SITUATIONS: dict[str, Callable[[Ground], AbstractContextManager[None]]] = {
    "Redis is dead": _redis_dead,
    "Redis is frozen": _redis_frozen,
    "PostgreSQL is dead": _postgres_dead,
}
