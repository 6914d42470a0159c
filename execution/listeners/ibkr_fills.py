"""Has the fills booked that the gateway has just received.

The workers poll the broker every half second anyway, and find what is missed here.
"""

import queue
import threading
from collections.abc import Collection
from contextlib import suppress

import structlog
from django.db import Error, connection
from django.db.models import F

from deepstack.database import prepared_query
from deepstack.database.prepared_query import IsAny, Param, Prepared
from execution.booking import execution_reports
from execution.broker.ibkr import order_reports
from execution.context import Context
from execution.models import IbkrOrder

log = structlog.get_logger(__name__)

LONGEST_STOP = 5.0  # seconds
_CHANGED = Prepared[IbkrOrder](
    lambda: (
        IbkrOrder.objects.filter(IsAny(F("client_order_id"), Param("refs", [""])))
        .filter(stage__in=sorted(order_reports.STATUS))
        .order_by("pk")
    )
)


class FillListener:
    """A thread with a database connection of its own: what it waits for holds up no socket."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: queue.SimpleQueue[frozenset[str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ibkr-fill-listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is known until now is booked first."""
        self._waiting.put(None)
        self._thread.join(timeout=LONGEST_STOP)

    def notify(self, client_order_ids: Collection[str]) -> None:
        """The rows of these orders have changed; never waits."""
        if client_order_ids:
            self._waiting.put(frozenset(client_order_ids))

    def _run(self) -> None:
        with suppress(Error):  # without PostgreSQL it is simply cold
            prepared_query.warm()
        while (changed := self._next()) is not None:
            try:
                self._book(changed)
            except Error as error:
                log.warning("not booked at once", error=str(error).strip())
                connection.close()
            except Exception:  # what one order does must not silence all that follow
                log.exception("not booked at once")
        connection.close()

    def _next(self) -> set[str] | None:
        """All that has changed meanwhile, each order once; None at the end."""
        first = self._waiting.get()
        if first is None:
            return None
        changed = set(first)
        while not self._waiting.empty():
            more = self._waiting.get()
            if more is None:
                self._waiting.put(None)
                break
            changed |= more
        return changed

    def _book(self, client_order_ids: Collection[str]) -> None:
        rows = _CHANGED.all(refs=list(client_order_ids))
        execution_reports.book_reports(order_reports.answers(rows), self._context)
