"""Wakes the gateway when a worker has written something. A ring may be lost: it looks anyway."""

import threading
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection

log = structlog.get_logger(__name__)

CHANNEL = "ibkr"


def ring(endpoint: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, endpoint])


class Doorbell:
    """A thread with a database connection of its own; calls `on_ring` for rings at `endpoint`."""

    def __init__(self, endpoint: str, on_ring: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._on_ring = on_ring
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ibkr-doorbell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except DatabaseError as error:
                log.warning("no rings", error=str(error).strip())
                self._stop.wait(1.0)
            finally:
                connection.close()

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
            while not self._stop.is_set():
                with connection.wrap_database_errors:
                    for ring in cursor.connection.notifies(timeout=0.5):
                        if ring.payload == self._endpoint:
                            self._on_ring()
