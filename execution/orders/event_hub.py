"""One reader of the events for all listeners of a process.

It asks the database a few times a second, however many listen: a notification by PostgreSQL would
cost each sending transaction a lock that they all share.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import structlog
from django.db import Error, close_old_connections, connection
from django.db.models import Q
from django.utils import timezone

from execution.models import OrderEvent
from execution.orders import event_feed
from execution.orders.event_feed import Cursor
from execution.orders.event_message import EventMessage, message_of

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger(__name__)

EVERY = 0.2  # seconds
AFTER_ERROR = 1.0  # seconds
BATCH = 1_000
MOST_WAITING = 2_000  # events of one listener; beyond it the listener is dropped
MOST_LISTENERS = 500

# The event loop must not wait for the database.
_readers = ThreadPoolExecutor(max_workers=3, thread_name_prefix="event-stream")
Place = tuple[int, int]  # in the stream: transaction and event number


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; what is None is not compared. `own`: the accounts that the listener may see."""

    order_id: int | None = None
    account: str | None = None
    strategy: str | None = None
    own: frozenset[str] | None = None

    @property
    def rows(self) -> Q:
        named = {
            "order_id": self.order_id,
            "order__account": self.account,
            "order__strategy": self.strategy,
            "order__account__in": self.own,
        }
        return Q(**{name: value for name, value in named.items() if value is not None})

    def fits(self, event: OrderEvent) -> bool:
        pairs = (
            (self.order_id, event.order_id),
            (self.account, event.order.account),
            (self.strategy, event.order.strategy),
        )
        if self.own is not None and event.order.account not in self.own:
            return False
        return all(wanted is None or wanted == found for wanted, found in pairs)


@dataclass(slots=True, eq=False)
class Listener:
    wanted: Wanted
    after: Place
    waiting: "asyncio.Queue[EventMessage | None]" = field(
        default_factory=lambda: asyncio.Queue(MOST_WAITING + 1)
    )
    dropped: bool = False

    def offer(self, event: OrderEvent, message: EventMessage) -> None:
        if self.dropped or _place(event) <= self.after or not self.wanted.fits(event):
            return
        if self.waiting.qsize() >= MOST_WAITING:
            self.dropped = True
            self.waiting.put_nowait(None)
            return
        self.waiting.put_nowait(message)


class TooManyListeners(Exception):
    """This process serves as many as it can."""


class Hub:
    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._cursor: Cursor | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def listen(
        self, wanted: Wanted, behind: Cursor | None, *, beat: float
    ) -> AsyncGenerator[EventMessage | None, None]:
        """The wanted events behind the cursor (None: from now on), for as long as the caller
        reads. None comes first, from where on none is missed, and then every `beat` seconds without
        one. Ends for a listener that is too slow. Raises TooManyListeners."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise TooManyListeners
        now = await self._running()
        # What is read from here on is offered; what came before is read for this listener alone.
        listener = Listener(wanted, _end(behind or now))
        self._listeners.add(listener)
        try:
            yield None
            if behind is not None:
                async for message in _earlier(wanted, behind, _end(now)):
                    yield message
            while True:
                try:
                    found = await asyncio.wait_for(listener.waiting.get(), beat)
                except TimeoutError:
                    yield None
                    continue
                if found is None:
                    log.warning("a listener was too slow and was dropped")
                    return
                yield found
        finally:
            self._listeners.discard(listener)

    async def _running(self) -> Cursor:
        """Where the reader is, once there is one."""
        async with self._starting:
            if self._cursor is None or self._reading is None or self._reading.done():
                self._cursor = await _in_thread(event_feed.from_now, timezone.now())
                self._reading = asyncio.create_task(self._read_on())
        return self._cursor

    async def _read_on(self) -> None:
        while self._cursor is not None:
            try:
                events, cursor = await _in_thread(_read, self._cursor, Q())
            except Error as error:
                log.warning("the event stream waits for PostgreSQL", error=str(error).strip())
                await asyncio.sleep(AFTER_ERROR)
                continue
            self._cursor = cursor
            for event in events:
                message = message_of(event)
                for listener in self._listeners:
                    listener.offer(event, message)
            if len(events) < BATCH:
                await asyncio.sleep(EVERY)


async def _earlier(wanted: Wanted, cursor: Cursor, until: Place) -> AsyncIterator[EventMessage]:
    while True:
        events, cursor = await _in_thread(_read, cursor, wanted.rows)
        for event in events:
            if _place(event) > until:
                return
            yield message_of(event)
        if len(events) < BATCH:
            return


def _read(cursor: Cursor, only: Q) -> tuple[list[OrderEvent], Cursor]:
    events, moved = event_feed.read(cursor, limit=BATCH, real_now=timezone.now(), only=only)
    return list(events), moved


def _place(event: OrderEvent) -> Place:
    return event.written, event.pk  # type: ignore[attr-defined]  # annotated by the feed


def _end(cursor: Cursor) -> Place:
    return cursor.transaction, cursor.event_id


async def _in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    def call() -> R:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        except Error:
            connection.close()
            raise

    return await asyncio.get_running_loop().run_in_executor(_readers, call)
