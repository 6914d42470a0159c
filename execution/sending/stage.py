"""Threads of a worker that do what has come by its moment, as sets.

A set is what is there: under little load it is one.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from enum import Enum
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Generic, TypeVar

import structlog

from deepstack import thread_failures
from deepstack.database import thread_connection
from execution.orders.locks import NeedsOwnTransaction

log = structlog.get_logger(__name__)

ItemT = TypeVar("ItemT")
Keys = Mapping[Hashable, object]
_Entry = tuple[float, int, ItemT, Keys]  # when, in which order, what


class Alone(Enum):
    """What comes of an item that a set could not do: it is done by itself, or where its order was
    LOCKED elsewhere, may be tried again."""

    ALONE = "ALONE"
    LOCKED = "LOCKED"


class Stage(Generic[ItemT]):
    """`work` does a set of at most `most`. If it raises, nothing has happened, and each of the set
    is handed to `alone`: one that cannot be done harms no other. `begin`: what each thread does
    first.

    `keys`: two items with different values of one key are not in one set. `gathers`: once one item
    is due, all others that are there go with it, and while one thread is busy another takes whole
    sets alone; `span`: once one is due, those that are due within so many seconds after it.
    `spare`: so many threads more begin only when all others are busy. `once`: of two items with one
    and the same value the second is dropped while the first waits.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[ItemT]], None],
        *,
        alone: Callable[[ItemT], None] | None = None,
        begin: Callable[[], None] = lambda: None,
        most: int = 1,
        threads: int = 1,
        spare: int = 0,
        keys: Callable[[ItemT], Keys] = lambda item: {},
        gathers: bool = False,
        span: Callable[[], float] = lambda: 0.0,
        once: Callable[[ItemT], Hashable] | None = None,
    ) -> None:
        self.name, self._work, self._alone, self._most = name, work, alone, most
        self._begin = begin
        self._keys, self._gathers, self._span = keys, gathers, span
        self._once, self._present = once, set[Hashable]()
        self._waiting: list[_Entry[ItemT]] = []
        self._numbers, self._busy = count(), 0
        lock = threading.RLock()
        self._changed, self._room = threading.Condition(lock), threading.Condition(lock)
        self._turn = threading.Lock()  # of the one thread that waits for what comes next
        self._threads, self._spare = 0, spare
        for _ in range(threads):
            self._start()

    def _start(self) -> None:
        self._threads += 1
        threading.Thread(target=self._run, name=f"slices-{self.name}", daemon=True).start()

    def put(self, item: ItemT, *, after: float = 0.0) -> None:
        """To be done in `after` seconds."""
        entry = (monotonic() + after, next(self._numbers), item, self._keys(item))
        with self._changed:
            if self._once is not None:
                if self._once(item) in self._present:
                    return
                self._present.add(self._once(item))
            heappush(self._waiting, entry)
            self._changed.notify()

    def wait_for_room(self) -> None:
        """Until less than a whole set waits here."""
        with self._room:
            self._room.wait_for(lambda: len(self._waiting) < self._most)

    @property
    def idle(self) -> bool:
        with self._changed:
            return not self._waiting and not self._busy

    def _run(self) -> None:
        try:
            self._begin()
        except Exception:  # without PostgreSQL a thread is simply cold
            log.exception("a thread began cold", stage=self.name)
        while True:
            items = self._next()
            self._do(items)
            with self._changed:
                self._busy -= 1
                self._changed.notify()

    def _next(self) -> list[ItemT]:
        with self._turn, self._changed:
            while (pause := self._pause()) > 0:
                self._changed.wait(min(pause, threading.TIMEOUT_MAX))
            self._busy += 1
            if self._busy == self._threads and self._spare:
                self._spare -= 1
                self._start()
            taken = self._taken()
            self._room.notify_all()
            return taken

    def _pause(self) -> float:
        if not self._waiting:
            return float("inf")
        if self._gathers and len(self._waiting) >= self._most:
            return 0.0
        if self._gathers and self._busy:
            return float("inf")  # who is busy does it next, with what has gathered by then
        return self._waiting[0][0] - monotonic()

    def _taken(self) -> list[ItemT]:
        """The first, and those after it that may be in one set with all before them."""
        span = float("inf") if self._gathers else self._span()
        until = max(monotonic(), self._waiting[0][0]) + span
        taken, left = list[ItemT](), list[_Entry[ItemT]]()
        values: dict[Hashable, object] = {}
        while self._waiting and self._waiting[0][0] <= until and len(taken) < self._most:
            entry = heappop(self._waiting)
            _, _, item, keys = entry
            if all(values.get(key, value) == value for key, value in keys.items()):
                values.update(keys)
                taken.append(item)
            else:
                left.append(entry)
        for entry in left:
            heappush(self._waiting, entry)
        if self._once is not None:
            self._present.difference_update(map(self._once, taken))
        return taken

    def _do(self, items: Sequence[ItemT]) -> None:
        """Whatever ends a piece of work, the thread goes on: others wait for it."""
        try:
            thread_connection.refresh()
            self._work(items)
        except NeedsOwnTransaction:
            self._one_by_one(items)
        except BaseException as error:
            thread_failures.note(error)
            log.exception("a set failed", stage=self.name, size=len(items))
            self._one_by_one(items)
        else:
            thread_failures.forget()

    def _one_by_one(self, items: Iterable[ItemT]) -> None:
        if self._alone is not None:
            for item in items:
                self._alone(item)


class Calls:
    """Calls that may have to wait for a network: one after the other while they return at once,
    beside each other since they do not."""

    # Seconds. A call that waits for no network may take longer than QUICK in a busy process, where
    # it waits for the interpreter, but not each time. After one that hung, no other is to wait for
    # the next: the mean tells.
    QUICK, MEAN = 0.002, 0.01

    def __init__(self, name: str, *, threads: int) -> None:
        self._stage = Stage[Callable[[], None]](name, _call, spare=threads - 1)
        self._took = deque[float](maxlen=8)

    @property
    def idle(self) -> bool:
        return self._stage.idle

    @property
    def quick(self) -> bool:
        """Whether the last calls were; False where there was none yet."""
        took = self._took.copy()  # others append meanwhile
        return bool(took) and min(took) < self.QUICK and sum(took) / len(took) < self.MEAN

    def each(
        self,
        call: Callable[[ItemT], None],
        items: Iterable[ItemT],
        *,
        wait: bool,
        here: bool = False,
    ) -> None:
        """Each item as soon as `items` yields it. `wait`: until all have returned; an exception of
        one is logged. `here`: all in this thread, however long they take."""
        over, beside = threading.Semaphore(0), 0
        for item in items:
            if here or self.quick:
                self._timed(call, item)
            else:
                self._stage.put(partial(self._beside, call, item, over))
                beside += 1
        for _ in range(beside if wait else 0):
            over.acquire()

    def _beside(
        self, call: Callable[[ItemT], None], item: ItemT, over: threading.Semaphore
    ) -> None:
        try:
            self._timed(call, item)
        finally:
            over.release()

    def _timed(self, call: Callable[[ItemT], None], item: ItemT) -> None:
        began = monotonic()
        try:
            call(item)
        except Exception:
            log.exception("a call failed", stage=self._stage.name)
        finally:
            self._took.append(monotonic() - began)


def _call(calls: Sequence[Callable[[], None]]) -> None:
    for call in calls:
        call()
