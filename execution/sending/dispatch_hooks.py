"""What other applications run beside the dispatch loop: it needs neither Celery nor Redis to live.

`execution` knows none of them; each registers its work by its dotted name when Django starts, so
that only a dispatcher imports it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection
from django.utils.module_loading import import_string

# Works in a thread of its own, with its own database connection, until the event is set.
Work = Callable[[threading.Event], None]

LONGEST_STOP = 5.0  # seconds
_registered: list[str] = []


def register(name: str) -> None:
    """`name`: the dotted name of a `Work`."""
    _registered.append(name)


@contextmanager
def running() -> Iterator[None]:
    """All that is registered, while the block lasts; ImportError for what is not there."""
    works: list[Work] = [import_string(name) for name in _registered]
    ended = threading.Event()

    def run(work: Work) -> None:
        try:
            work(ended)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=[work], name=work.__module__, daemon=True)
        for work in works
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(LONGEST_STOP)
