"""How a worker keeps its connection to Redis, and what it sends through it."""

from functools import partial
from time import monotonic, sleep
from typing import Any

from celery.worker import consumer
from redis.exceptions import ResponseError
from typing_extensions import override

EVENTS_EVERY = 0.25  # seconds
REFUSED_PAUSE = 1.0  # seconds
UNREADABLE = (ValueError, KeyError, TypeError)  # no JSON, or none of Celery's


class Consumer(consumer.Consumer):
    """Celery's, except for what it does when Redis goes away and how it tells Flower of tasks."""

    hub: Any
    conninfo: Any
    _flush_events: Any
    _events_due = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """To kombu an answer that refuses is an error of the channel, which ends the worker. A
        Redis that has become a replica, or may not write, refuses even to hand out a message. What
        somebody else has put into a queue, kombu cannot read; it is out of the queue by then."""
        super().__init__(*args, **kwargs)
        known = self.conninfo.connection_errors
        self.connection_errors = (*known, ResponseError, *UNREADABLE)

    @override
    def ensure_connected(self, conn: Any) -> Any:
        """Celery lengthens the pause between two attempts to half a minute, and would come back
        that much later than Redis."""
        conn.ensure_connection = partial(
            conn.ensure_connection, interval_start=0.25, interval_step=0.25, interval_max=1.0
        )
        return super().ensure_connected(conn)

    @override
    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """kombu would put the messages back that it holds, through the connection that has just
        broken, and end the worker by the error. The dispatch loop enqueues them again."""
        connection: Any = self.connection
        for channel in connection.transport.channels:
            channel.do_restore = False
        if isinstance(exc, ResponseError):
            sleep(REFUSED_PAUSE)  # connecting succeeds, and would be tried again at once
        super().on_connection_error_after_connected(exc)

    @override
    def on_send_event_buffered(self) -> Any:
        """The events of many tasks leave together. Celery publishes them one by one, three for
        each task, which takes a third of the worker's time.

        Called in any thread. A lost connection takes the timer with it: the next event after its
        time sets another.
        """
        if self.hub is not None and monotonic() >= self._events_due:
            self._events_due = monotonic() + EVENTS_EVERY
            self.hub.call_soon(self.hub.call_later, EVENTS_EVERY, self._flush_events)
