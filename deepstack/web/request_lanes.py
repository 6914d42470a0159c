"""Lanes of the web process: what may be slow is bounded, so that the kill switch never waits.

Logins hash passwords for half a second or wait for an identity provider, lists and previews
compute; each kind has its own few places and a short queue, and whoever finds both full is turned
away at once. Halts, cancels, pauses and health pages have no bound: the threads that the lanes
leave over are theirs.
"""

import itertools
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
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
class _Waiting:
    """Somebody in a queue; `got` once a place was handed over."""

    rank: tuple[int, int]  # who is let in first: the lowest
    decided: threading.Event = field(default_factory=threading.Event)
    got: bool = False


@dataclass(slots=True, eq=False)
class Lane:
    """At most `places` requests at a time, and `queue` that wait up to `seconds` for a place.

    Of those that wait, who has tried least often is served next, and takes the place in a full
    queue of who has tried most often.
    """

    places: int
    queue: int
    seconds: float
    _free: int = field(init=False)
    _waiting: list[_Waiting] = field(init=False, default_factory=list)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _numbers: Iterator[int] = field(init=False, default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._free = self.places

    @contextmanager
    def place(self, *, tries: int = 0) -> Iterator[bool]:
        """Yields whether there is a place; it is the caller's while the block lasts."""
        got = self._take(tries)
        try:
            yield got
        finally:
            if got:
                self._pass_on()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _take(self, tries: int) -> bool:
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            mine = self._queued(tries)
        if mine is None:
            return False
        mine.decided.wait(self.seconds)
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
            return mine.got

    def _queued(self, tries: int) -> _Waiting | None:
        mine = _Waiting((tries, next(self._numbers)))
        if len(self._waiting) >= self.queue:
            last = max(self._waiting, key=_rank)
            if last.rank[0] <= tries:
                return None
            self._waiting.remove(last)
            last.decided.set()
        self._waiting.append(mine)
        return mine

    def _pass_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            first = min(self._waiting, key=_rank)
            self._waiting.remove(first)
            first.got = True
            first.decided.set()


def _rank(waiting: _Waiting) -> tuple[int, int]:
    return waiting.rank


class Lanes:
    """The WSGI application behind its lanes."""

    def __init__(self, app: App) -> None:
        # Whoever waits for the interpreter waits behind each thread that computes.
        sys.setswitchinterval(0.001)
        self._app = app
        self._login = Lane(places=1, queue=4, seconds=4.0)
        self._single_sign_on = Lane(places=2, queue=4, seconds=4.0)
        self._reads = Lane(places=1, queue=8, seconds=2.0)
        # Twenty clients that send orders at once are served, though all come to one process.
        self._writes = Lane(places=2, queue=18, seconds=2.0)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "")
        if _URGENT.fullmatch(path):
            return self._app(environ, start)
        lane, tries = self._lane(path, method), 0
        if lane in (self._login, self._single_sign_on):
            asking = login_throttle.address(environ)
            if seconds := login_throttle.throttle.wait(asking):
                text = "too many failed logins from this address"
                return _turn_away(start, "429 Too Many Requests", 429, text, seconds)
            tries = login_throttle.throttle.tried(asking)
        with lane.place(tries=tries) as got:
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
