"""How a worker takes messages of a task that is over as soon as it has begun: `Task.Strategy`.

Celery makes a request and a timer of each message, and traces its run: two fifths of a busy
worker's time, for a task that does no more than put an id into a queue.
"""

import math
from collections.abc import Callable
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Any, NamedTuple

import structlog
from celery.worker import state, strategy
from kombu.asynchronous.timer import to_timestamp

log = structlog.get_logger(__name__)

Receive = Callable[..., Any]


def in_the_loop(task: Any, app: Any, consumer: Any) -> Receive:
    """The task is called in the worker's event loop at its ETA, as `run(*args, eta=...)`, and must
    not wait for anything. In a pool of processes it would run in the wrong one, and Celery's own
    way is taken, which gives no `eta`."""
    celerys_own: Receive = strategy.default(task, app, consumer)
    if consumer.hub is None or getattr(consumer.pool, "executor", None) is None:
        return celerys_own
    return _InTheLoop(task, consumer, celerys_own).receive


class _Call(NamedTuple):
    moment: float  # as of `monotonic`
    number: int
    id: str
    args: tuple[object, ...]
    eta: datetime | None


class _InTheLoop:
    """Tells Flower of a task when it arrives and when it is over: in between nothing can be seen.
    Used by the thread of the event loop alone."""

    def __init__(self, task: Any, consumer: Any, celerys_own: Receive) -> None:
        self._task, self._celerys_own = task, celerys_own
        self._timer, self._events = consumer.timer, consumer.event_dispatcher
        self._lost = consumer.connection_errors
        self._waiting, self._numbers = list[_Call](), count()
        self._wakes, self._entry = math.inf, None

    def receive(self, message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        """What says more than an argument and a time is left to Celery."""
        call = _plain_call(message, next(self._numbers)) if body is None else None
        if call is None:
            self._celerys_own(message, body, ack, reject, callbacks)
            return
        headers = message.headers
        message.ack_log_error(log, self._lost)
        self._tell(
            "task-received",
            uuid=call.id,
            name=self._task.name,
            args=headers.get("argsrepr"),
            kwargs=headers.get("kwargsrepr"),
            root_id=headers.get("root_id"),
            parent_id=headers.get("parent_id"),
            retries=0,
            eta=headers.get("eta"),
            expires=None,
        )
        heappush(self._waiting, call)
        self._set_timer()

    def _set_timer(self) -> None:
        """One for all that waits."""
        if not self._waiting or self._waiting[0].moment >= self._wakes:
            return
        if self._entry is not None:
            self._timer.cancel(self._entry)
        self._wakes = self._waiting[0].moment
        self._entry = self._timer.call_at(self._wakes, self._call_due)

    def _call_due(self) -> None:
        self._entry, self._wakes = None, math.inf
        now = monotonic()
        while self._waiting and self._waiting[0].moment <= now:
            self._do(heappop(self._waiting))
        self._set_timer()

    def _do(self, call: _Call) -> None:
        if call.id in state.revoked:
            self._tell("task-revoked", uuid=call.id, terminated=False, signum=None, expired=False)
            return
        state.all_total_count[0] += 1
        state.total_count[self._task.name] += 1
        try:
            self._task.run(*call.args, eta=call.eta)
        except Exception as error:
            log.exception("a task failed", task=self._task.name, task_id=call.id)
            self._tell("task-failed", uuid=call.id, exception=repr(error), traceback="")
        else:
            self._tell("task-succeeded", uuid=call.id, result="None", runtime=0.0)

    def _tell(self, kind: str, **fields: object) -> None:
        if self._events and self._task.send_events:
            self._events.send(kind, **fields)


def _plain_call(message: Any, number: int) -> _Call | None:
    """Of a message that asks for nothing else. Others may put messages into the queue, with
    whatever in them."""
    headers = message.headers
    try:
        (argument,), named, more = message.payload
        eta = datetime.fromisoformat(headers["eta"]) if headers.get("eta") else None
        asks = named or any(more.values()) or headers.get("expires") or (eta and not eta.tzinfo)
    except (ValueError, TypeError, AttributeError):
        return None
    if asks or type(argument) is not int or not isinstance(headers.get("id"), str):
        return None
    moment = to_timestamp(eta) if eta else monotonic()
    return _Call(moment, number, headers["id"], (argument,), eta)
