"""The one connection of a thread that works for as long as its process lives."""

import threading
from time import monotonic

from django.db import close_old_connections, connection

LOOK_AGAIN_SECONDS = 1.0


class _Looked(threading.local):
    at = float("-inf")


_looked = _Looked()


def refresh() -> None:
    """Drop this thread's connection if it is broken. Django asks the server whether it still hears;
    a thread that had an answer a moment ago need not ask."""
    if connection.errors_occurred or monotonic() - _looked.at > LOOK_AGAIN_SECONDS:
        close_old_connections()
        _looked.at = monotonic()
