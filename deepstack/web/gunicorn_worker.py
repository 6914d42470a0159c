"""Gunicorn's threaded worker, with threads that only requests occupy."""

import selectors
import time
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

from deepstack.web import problem_json

SLOW_SECONDS = 5.0  # a client may rest this long within a request or while it reads the answer
LINGER_SECONDS = 0.25  # for a body that nobody wanted to read, and for a client to hang up
SPEECHLESS_SECONDS = 10.0  # for the first byte of a new connection


class Connection(TConn):
    def init(self) -> None:
        super().init()
        self.sock.settimeout(SLOW_SECONDS)

    def close(self, graceful: bool = False) -> None:
        """The thread of the request has waited for the client already; the poller must not."""
        if self.sock.fileno() >= 0:
            super().close(graceful=False)


class Worker(ThreadWorker):
    """Gunicorn gives a new connection a thread for up to five seconds before it speaks, and waits
    two seconds in the poller for a client to hang up: a few dozen such clients would hold up
    everybody. Here the first wait is the poller's and the last is a thread's."""

    def accept(self, listener: Any) -> None:
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        connection = Connection(self.cfg, client, address, listener.getsockname())
        connection.timeout = time.monotonic() + SPEECHLESS_SECONDS
        self.pending_conns.append(connection)
        readable = partial(self.on_pending_socket_readable, connection)
        self.poller.register(client, selectors.EVENT_READ, readable)

    def handle(self, conn: Any) -> Any:
        goes_on = super().handle(conn)
        if goes_on is False:
            util.close_graceful(conn.sock, timeout=LINGER_SECONDS)
        return goes_on

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        deadline = time.monotonic() + LINGER_SECONDS
        return bool(keepalive) and bool(conn.parser.finish_body(deadline=deadline))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        super().handle_error(req, _Plain(client), addr, exc)


class _Plain:
    """The socket of a client whose request is no HTTP: gunicorn writes it a page, and this a
    problem of the same status."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, page: bytes) -> None:
        status = int(page.split(b" ", 2)[1])
        body = problem_json.as_bytes(status, "the request is not HTTP as it is understood here")
        line = page.partition(b"\r\n")[0]
        self._client.sendall(
            line
            + b"\r\nConnection: close\r\nContent-Type: application/problem+json"
            + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )
