"""Synchronous work that may be called from a coroutine without blocking on Django's guard."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")


def off_loop(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function that uses the database be called with or without a running event loop.

    Django refuses queries in a thread whose event loop runs. There, the function runs in a thread
    of its own, with its own database connections, which are closed when it ends; the caller
    waits, and so does its loop. What it returns must not query any more. Inside a transaction of
    the calling thread's connection the other thread would not see what is not committed.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _loop_runs():
            return function(*args, **kwargs)
        outcome: Future[R] = Future()
        context = copy_context()

        def work() -> None:
            try:
                outcome.set_result(context.run(function, *args, **kwargs))
            except BaseException as error:  # noqa: BLE001  the caller's thread raises it
                outcome.set_exception(error)
            finally:
                connections.close_all()

        thread = threading.Thread(target=work, name=f"off-loop-{function.__name__}")
        thread.start()
        thread.join()
        return outcome.result()

    return call


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
