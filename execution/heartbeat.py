"""Signs of life, so that a caller knows at once whether anybody will work."""

import os
import socket
import threading
from collections.abc import Mapping
from datetime import timedelta

import structlog
from django.db import Error, connection
from django.utils import timezone

from execution.models import Heartbeat

log = structlog.get_logger(__name__)

EVERY = 1.0  # seconds
DEAD_AFTER = timedelta(seconds=5)


def beat(kind: str, detail: Mapping[str, object] | None = None) -> None:
    Heartbeat.objects.update_or_create(
        kind=kind,
        process=f"{socket.gethostname()}:{os.getpid()}",
        defaults={"seen_wall": timezone.now(), "detail": dict(detail or {})},
    )


def beat_quietly(kind: str, detail: Mapping[str, object] | None = None) -> bool:
    """A sign of life that may fail: without the database the process cannot be seen anyway.

    False when it failed and the connection, with all locks of its session, was closed.
    """
    try:
        beat(kind, detail)
    except Error as error:
        connection.close()
        log.warning("no heartbeat", error=str(error).strip())
        return False
    return True


def alive(kind: str) -> int:
    """How many processes of a kind were seen lately."""
    seen_after = timezone.now() - DEAD_AFTER
    return Heartbeat.objects.filter(kind=kind, seen_wall__gt=seen_after).count()


def keep_beating(kind: str) -> threading.Event:
    """Beat from a thread of its own until the returned event is set."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(EVERY):
            beat_quietly(kind)
        connection.close()

    beat_quietly(kind)
    threading.Thread(target=loop, name="heartbeat", daemon=True).start()
    return stop
