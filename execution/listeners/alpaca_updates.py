"""What becomes of one trade update: its order is read whole and taken over, once."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

import structlog
from django.db import Error, connection

from execution.booking import execution_reports
from execution.broker.alpaca import messages
from execution.broker.alpaca.adapter import AlpacaBroker
from execution.broker.alpaca.messages import SeenOrder
from execution.broker.alpaca.stream import Update
from execution.broker.base import BrokerError, OutcomeUnknown
from execution.context import Context
from execution.domain.lifecycle import SLICE_TERMINAL, SliceStatus
from execution.listeners.update_queue import UpdateQueue
from execution.models import Slice

log = structlog.get_logger(__name__)

HANDS = 4
MOST_TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds
KEPT = 10_000  # orders
# These change nothing that the answer to a placement or a cancel does not say as well.
QUIET = {"new", "accepted", "pending_new", "pending_cancel", "pending_replace", "calculated"}


@dataclass(frozen=True, slots=True)
class Received:
    """An order as an update showed it. `tries`: how often it was taken up in vain."""

    event: str
    order: SeenOrder
    tries: int = 0


class UpdateBooking:
    """Takes updates from the stream's thread and books them with hands of its own.

    An update only says that there is something to read: the executions are read from the
    account's activities, so that lost, repeated and shuffled updates do no harm.
    """

    def __init__(self, broker: AlpacaBroker, context: Context) -> None:
        self._broker = broker
        self._context = context
        self._queue: UpdateQueue[str, Received] = UpdateQueue(_newer)
        self._streamed: OrderedDict[str, int] = OrderedDict()
        self._stopping = threading.Event()
        self._hands = [
            threading.Thread(target=self._work, name=f"updates-{number}", daemon=True)
            for number in range(HANDS)
        ]

    def start(self) -> None:
        for hand in self._hands:
            hand.start()

    def end(self) -> None:
        self._stopping.set()
        for hand in self._hands:
            hand.join(2.0)

    def receive(self, update: Update) -> None:
        """Note an update; returns at once."""
        try:
            order = messages.seen_order(update.get("order"))
        except OutcomeUnknown as error:
            log.warning("an update that cannot be read", error=str(error))
            return
        if not order.why:
            order = replace(order, why=messages.why(update))
        before = self._streamed.get(order.client_order_id, 0)
        self._streamed[order.client_order_id] = max(before, order.filled)
        self._streamed.move_to_end(order.client_order_id)
        if len(self._streamed) > KEPT:
            self._streamed.popitem(last=False)
        self._queue.put(order.client_order_id, Received(str(update.get("event")), order))

    def has_received(self, client_order_id: str) -> bool:
        """Whether the stream reported any execution of this order, of the recent ones."""
        return self._streamed.get(client_order_id, 0) > 0

    def _work(self) -> None:
        while not self._stopping.is_set():
            taken = self._queue.take(timeout=0.5)
            if taken is None:
                continue
            key, received = taken
            try:
                settled = self._settle(received)
            except Error as error:
                connection.close()
                log.warning("an update waits for PostgreSQL", error=str(error).strip())
                settled = False
            except Exception:  # one order that nobody foresaw must not stop the updates of others
                log.exception("an update cannot be booked", order=key)
                settled = False
            finally:
                self._queue.done(key)
            if not settled:
                self._again(key, received)
        connection.close()

    def _settle(self, received: Received) -> bool:
        """Take the order over; False while something of it is still to come."""
        order_id = received.order.client_order_id
        structlog.contextvars.clear_contextvars()
        part = Slice.objects.filter(client_order_id=order_id).first()
        if part is None or not _matters(part, received):
            return True
        try:
            seen = self._broker.with_executions(received.order)
            if part.status in SLICE_TERMINAL and seen.status == SliceStatus.WORKING:
                # An old update, or one that contradicts us: only a fresh look-up decides.
                fresh = self._context.broker.find(order_id, now=self._context.now())
                if fresh is None:
                    return False
                seen = fresh
        except BrokerError as error:
            log.info("an update is taken up again", order=order_id, error=str(error))
            return False
        execution_reports.book_report(part, seen, self._context)
        return sum(each.quantity for each in seen.executions) >= seen.filled_quantity

    def _again(self, key: str, received: Received) -> None:
        if received.tries >= MOST_TRIES:
            log.warning("an update is left to the next poll", order=key)
            return
        pause = min(FIRST_PAUSE * 2.0**received.tries, LONGEST_PAUSE)
        self._queue.put(key, replace(received, tries=received.tries + 1), delay=pause)


def _newer(held: Received, come: Received) -> bool:
    """Whether what came says at least as much: a final word is not replaced by an earlier one."""
    final = held.order.status in SLICE_TERMINAL and come.order.status not in SLICE_TERMINAL
    return not final and come.order.filled >= held.order.filled


def _matters(part: Slice, received: Received) -> bool:
    """Whether the update says more than we know; a look-up costs a message."""
    if part.status == SliceStatus.UNKNOWN or received.order.filled > part.filled_quantity:
        return True
    return received.event not in QUIET and part.status not in SLICE_TERMINAL
