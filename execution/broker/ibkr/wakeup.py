"""Wakes the gateway when a worker has written something. A wake-up may be lost: it looks anyway."""

import threading
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection

log = structlog.get_logger(__name__)

CHANNEL = "ibkr"


def wake(endpoint: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, endpoint])


class WakeUps:
    """A thread with a database connection of its own; calls `on_wake` for those of `endpoint`."""

    def __init__(self, endpoint: str, on_wake: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._on_wake = on_wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ibkr-wakeup", daemon=True)

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
                log.warning("no wake-ups", error=str(error).strip())
                self._stop.wait(1.0)
            finally:
                connection.close()

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
            while not self._stop.is_set():
                with connection.wrap_database_errors:
                    for note in cursor.connection.notifies(timeout=0.5):
                        if note.payload == self._endpoint:
                            self._on_wake()
