"""What other applications run beside the dispatch loop: it needs neither Celery nor Redis to live.

`execution` knows none of them; each registers its work when Django starts.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

# Works in a thread of its own, with its own database connection, until the event is set.
Work = Callable[[threading.Event], None]

LONGEST_STOP = 5.0  # seconds
_registered: list[Work] = []


def register(work: Work) -> None:
    _registered.append(work)


@contextmanager
def running() -> Iterator[None]:
    """All that is registered, while the block lasts."""
    ended = threading.Event()

    def run(work: Work) -> None:
        try:
            work(ended)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=[work], name=work.__module__, daemon=True)
        for work in _registered
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(LONGEST_STOP)
