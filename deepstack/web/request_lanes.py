"""Lanes of the web process: what may be slow is bounded, so that the kill switch never waits.

Logins hash passwords for half a second or wait for an identity provider, lists and previews
compute; each kind has its own few places and a short queue, and whoever finds both full is turned
away at once. Halts, cancels, pauses and health pages have no bound: the threads that the lanes
leave over are theirs.
"""

import re
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deepstack.web import login_throttle, problem_json

Environ = dict[str, Any]
Start = Callable[..., Any]
App = Callable[[Environ, Start], Iterable[bytes]]

_URGENT = re.compile(
    r"/(healthz|readyz|metrics)"
    r"|/static/.*"
    r"|/api/v1/(halt|resume-trading|trading-states)/"
    r"|/api/v1/orders/\d+/(cancel|pause)/"
    r"|/admin/execution/tradingstate/.*"
    r"|/admin/execution/order/control/(cancel|pause)/"
)
_LOGIN = re.compile(r"/api/v1/token/|/admin/login/|/admin/password_change/")
_SINGLE_SIGN_ON = re.compile(r"/admin/single-sign-on/.*")
_READING = ("GET", "HEAD", "OPTIONS")


@dataclass(slots=True, eq=False)
class Lane:
    """At most `places` requests at a time, and `queue` that wait up to `seconds` for a place."""

    places: int
    queue: int
    seconds: float
    _free: threading.Semaphore = field(init=False)
    _queued: int = field(init=False, default=0)
    _counting: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._free = threading.Semaphore(self.places)

    @contextmanager
    def place(self, *, behind_all: bool = False) -> Any:
        """Yields whether there is a place; it is the caller's while the block lasts. Who comes
        `behind_all` gets one that nobody else waits for, or none."""
        got = self._take_behind_all() if behind_all else self._take()
        try:
            yield got
        finally:
            if got:
                self._free.release()

    def _take(self) -> bool:
        return self._free.acquire(blocking=False) or self._wait()

    def _take_behind_all(self) -> bool:
        return not self._queued and self._free.acquire(blocking=False)

    def _wait(self) -> bool:
        with self._counting:
            if self._queued >= self.queue:
                return False
            self._queued += 1
        try:
            return self._free.acquire(timeout=self.seconds)
        finally:
            with self._counting:
                self._queued -= 1


class Lanes:
    """The WSGI application behind its lanes."""

    def __init__(self, app: App) -> None:
        # Whoever waits for the interpreter waits behind each thread that computes.
        sys.setswitchinterval(0.001)
        self._app = app
        self._login = Lane(places=1, queue=4, seconds=4.0)
        self._single_sign_on = Lane(places=2, queue=4, seconds=4.0)
        self._reads = Lane(places=1, queue=8, seconds=2.0)
        self._writes = Lane(places=2, queue=6, seconds=2.0)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "")
        if _URGENT.fullmatch(path):
            return self._app(environ, start)
        lane, behind_all = self._lane(path, method), False
        if lane in (self._login, self._single_sign_on):
            asking = login_throttle.address(environ)
            if seconds := login_throttle.throttle.wait(asking):
                text = "too many failed logins from this address"
                return _turn_away(start, "429 Too Many Requests", 429, text, seconds)
            behind_all = login_throttle.throttle.tried(asking) > login_throttle.MOST_TRIES
        with lane.place(behind_all=behind_all) as got:
            if got:
                return self._app(environ, start)
        text = "too many requests of this kind at a time; nothing was changed, send it again"
        return _turn_away(start, "503 Service Unavailable", 503, text, 1)

    def _lane(self, path: str, method: str) -> Lane:
        if _LOGIN.fullmatch(path):
            return self._login
        if _SINGLE_SIGN_ON.fullmatch(path):
            return self._single_sign_on
        reads = method in _READING or path == "/api/v1/orders/preview/"
        return self._reads if reads else self._writes


def _turn_away(start: Start, line: str, status: int, text: str, seconds: int) -> Iterable[bytes]:
    """Answered before Django is asked: a flood of these costs next to nothing."""
    body = problem_json.as_bytes(status, text, code="BUSY")
    start(
        line,
        [
            ("Content-Type", problem_json.CONTENT_TYPE),
            ("Content-Length", str(len(body))),
            ("Retry-After", str(seconds)),
        ],
    )
    return [body]
