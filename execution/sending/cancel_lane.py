"""A lane for cancels that no look-up, send or full queue can hold up: threads of the dispatcher.

Workers hear of a cancel at once. What they have not taken up by the loop's next turn, as all their
threads wait for something slow or as Redis is away, leaves from here.
"""

import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import connection

from execution.context import Context
from execution.sending import resolver

log = structlog.get_logger(__name__)

THREADS = 4


class CancelLane:
    def __init__(self, context: Callable[[], Context]) -> None:
        """`context` is called in the lane's threads: a broker's library is slow to load."""
        self._context = context
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cancel")
        self._offered: frozenset[int] = frozenset()
        self._in_hand: set[int] = set()
        self._lock = threading.Lock()
        self._threads.submit(self._warm)

    def offer(self, slice_ids: Collection[int]) -> None:
        """Cancel those of the slices that were there to be cancelled at the last turn already."""
        left_over = self._offered.intersection(slice_ids)
        self._offered = frozenset(slice_ids)
        with self._lock:
            taken = left_over - self._in_hand
            self._in_hand |= taken
        for slice_id in sorted(taken):
            self._threads.submit(self._cancel, slice_id)

    def end(self) -> None:
        """What is under way is finished, what waits is left to whoever leads next."""
        self._threads.shutdown(cancel_futures=True)

    def _warm(self) -> None:
        try:
            self._context()
        except Exception:  # logged again by each cancel that fails
            log.exception("the lane for cancels has no broker")

    def _cancel(self, slice_id: int) -> None:
        try:
            resolver.ask_to_cancel(slice_id, self._context())
        except Exception:  # it is offered again while the child works
            log.exception("a cancel failed", slice_id=slice_id)
        finally:
            connection.close()
            with self._lock:
                self._in_hand.discard(slice_id)
