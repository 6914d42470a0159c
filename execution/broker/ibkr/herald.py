"""Has the fills booked that the gateway has just heard of.

The workers look at the news every half second anyway, and find what is missed here.
"""

import queue
import threading
from collections.abc import Collection

import structlog
from django.db import Error, connection

from execution import reconcile
from execution.desk import Desk
from execution.models import IbkrOrder

from . import answers

log = structlog.get_logger(__name__)

LONGEST_STOP = 5.0  # seconds


class Herald:
    """A thread with a database connection of its own: what it waits for holds up no socket."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: queue.SimpleQueue[frozenset[str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ibkr-herald", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What was told until now is booked first."""
        self._waiting.put(None)
        self._thread.join(timeout=LONGEST_STOP)

    def tell(self, client_order_ids: Collection[str]) -> None:
        """The rows of these orders have changed; never waits."""
        if client_order_ids:
            self._waiting.put(frozenset(client_order_ids))

    def _run(self) -> None:
        while (told := self._next()) is not None:
            try:
                self._book(told)
            except Error as error:
                log.warning("not booked at once", error=str(error).strip())
                connection.close()
            except Exception:  # what one order does must not silence all that follow
                log.exception("not booked at once")
        connection.close()

    def _next(self) -> set[str] | None:
        """All that has been told meanwhile, each order once; None at the end."""
        first = self._waiting.get()
        if first is None:
            return None
        told = set(first)
        while not self._waiting.empty():
            more = self._waiting.get()
            if more is None:
                self._waiting.put(None)
                break
            told |= more
        return told

    def _book(self, client_order_ids: Collection[str]) -> None:
        rows = IbkrOrder.objects.filter(
            client_order_id__in=client_order_ids, stage__in=list(answers.STATUS)
        )
        news = [answers.answer(row) for row in rows.prefetch_related("executions").order_by("pk")]
        reconcile.take_over_all(news, self._desk)
