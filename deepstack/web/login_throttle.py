"""Logins: each is one line of the log, and a guesser of passwords is turned away.

Failures are counted by address, and by address and name together. A name alone is not counted: who
guesses from afar must not lock out the person with the kill switch. Counts live in the process.
"""

import ipaddress
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import structlog
from django.contrib.auth import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from deepstack.config import current

log = structlog.get_logger(__name__)

WINDOW = 60.0  # seconds that a failure counts
MOST_OF_ADDRESS = 10
MOST_OF_NAME = 5  # from one address
MOST_TRIES = 10  # that are counted, within WINDOW; turned away ones are, too
MOST_KEYS = 10_000
MOST_LET_IN = 1_000


class TooManyFailures(Exception):
    """Nobody looked at the password. `seconds`: when to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("too many failed logins from this address, or of this name from it")
        self.seconds = seconds


class Throttle:
    """Counts failures of the last minute; `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[Hashable, deque[float]] = {}
        self._tries: dict[Hashable, deque[float]] = {}
        self._let_in: dict[str, None] = {}  # the latest last

    def failed(self, address: str, name: str) -> None:
        address = subscriber(address)
        with self._lock:
            now = self._clock()
            if len(self._failures) > MOST_KEYS:
                self._forget(self._failures, now)
            for key, most in ((address, MOST_OF_ADDRESS), ((address, name), MOST_OF_NAME)):
                self._failures.setdefault(key, deque(maxlen=most)).append(now)

    def succeeded(self, address: str, name: str) -> None:
        address = subscriber(address)
        with self._lock:
            self._failures.pop((address, name), None)
            self._let_in.pop(address, None)
            self._let_in[address] = None
            if len(self._let_in) > MOST_LET_IN:
                del self._let_in[next(iter(self._let_in))]

    def wait(self, address: str, name: str | None = None) -> int:
        """Whole seconds until the next try is looked at; 0: now."""
        address = subscriber(address)
        wanted: list[tuple[Hashable, int]] = [(address, MOST_OF_ADDRESS)]
        if name is not None:
            wanted.append(((address, name), MOST_OF_NAME))
        with self._lock:
            now = self._clock()
            return max(self._wait(key, most, now) for key, most in wanted)

    def tried(self, address: str) -> int:
        """Notes a try, whatever comes of it; how many there were within the last minute, this one
        included, up to MOST_TRIES. Of an address from which somebody has logged in: 0, so that a
        guesser with an address for each guess is behind those who work here, too."""
        key = subscriber(address)
        with self._lock:
            if key in self._let_in:
                return 0
            now = self._clock()
            if len(self._tries) > MOST_KEYS:
                self._forget(self._tries, now)
            times = self._tries.setdefault(key, deque(maxlen=MOST_TRIES))
            times.append(now)
            return sum(at > now - WINDOW for at in times)

    def forget(self) -> None:
        with self._lock:
            self._failures.clear()
            self._tries.clear()
            self._let_in.clear()

    def _wait(self, key: Hashable, most: int, now: float) -> int:
        times = self._failures.get(key)
        if times is None or len(times) < most:
            return 0
        return max(math.ceil(times[0] + WINDOW - now), 0)

    def _forget(self, counts: dict[Hashable, deque[float]], now: float) -> None:
        for key in [key for key, times in counts.items() if times[-1] < now - WINDOW]:
            del counts[key]
        for key in list(counts)[: len(counts) - MOST_KEYS // 2]:
            del counts[key]


throttle = Throttle()


def address(environ: Mapping[str, Any]) -> str:
    """Who asks. Behind the proxy that HTTPS=true tells of, the proxy says so, in its last word."""
    forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
    if current().https and forwarded:
        return str(forwarded).rpartition(",")[2].strip()[:64]
    return str(environ.get("REMOTE_ADDR", ""))


def subscriber(address: str) -> str:
    """Whose failures count together: an address, of IPv6 the /64 that one subscriber has whole."""
    try:
        found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def _failed(credentials: Mapping[str, Any], request: HttpRequest | None, **_: Any) -> None:
    name = str(credentials.get("username", ""))
    where = address(request.META) if request is not None else ""
    throttle.failed(where, name)
    path = request.path[:200] if request is not None else ""
    log.warning("login failed", user=name[:150], address=where, path=path)


def succeeded(request: HttpRequest, name: str) -> None:
    where = address(request.META)
    throttle.succeeded(where, name)
    log.info("login", user=name, address=where, path=request.path)


def _logged_in(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if request is not None and hasattr(request, "META"):
        succeeded(request, user.get_username())


def _logged_out(request: HttpRequest, user: Any, **_: Any) -> None:
    log.info("logout", user=user.get_username() if user else "", address=address(request.META))


def listen() -> None:
    user_login_failed.connect(_failed, dispatch_uid="deepstack.web.login_throttle")
    user_logged_in.connect(_logged_in, dispatch_uid="deepstack.web.login_throttle")
    user_logged_out.connect(_logged_out, dispatch_uid="deepstack.web.login_throttle")
