"""What keeps the threads of a worker from their work, as their own tasks found it.

The thread that shows life has a connection of its own, which may be well while theirs are not.
"""

import threading
from time import monotonic
from typing import Any

from celery.signals import task_failure, task_success
from django.db import Error
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from deepstack import redis_check
from deepstack.database import sessions

# A thread that has had no task since may be well again by now.
FORGOTTEN_AFTER = 10.0  # seconds

_found: dict[int, tuple[float, str]] = {}


def found() -> str:
    """Why threads failed lately that succeeded in nothing since; empty if none did. Their number
    changes every second, and what is said of the trouble should not."""
    fresh = [words for at, words in list(_found.values()) if monotonic() - at < FORGOTTEN_AFTER]
    return f"threads failed: {fresh[-1]}" if fresh else ""


@task_failure.connect
def _note(exception: BaseException | None = None, **_: Any) -> None:
    note(exception)


@task_success.connect
def _forget(**_: Any) -> None:
    forget()


def note(exception: BaseException | None) -> None:
    """This thread has failed."""
    match exception:
        case Error() if sessions.is_away(exception):
            words = f"PostgreSQL: {sessions.in_words(exception)}"
        case KombuError() | RedisError():
            words = f"Redis: {redis_check.in_words(exception)}"
        case _:
            return
    _found[threading.get_ident()] = (monotonic(), words)


def forget() -> None:
    """This thread has succeeded."""
    if _found:
        _found.pop(threading.get_ident(), None)
