"""The way of a slice through a worker: read, claimed, sent and recorded, with what is due together.

A task only brings the id of its slice. Nothing here has to outlive the process: what it had in
hand the leases and the dispatch loop bring back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from time import monotonic, sleep

from django.utils import timezone

from deepstack.database.prepared_query import warm
from deepstack.observability.tracing import tracing
from execution.broker.base import BrokerOrder
from execution.context import Context, default
from execution.market import clock
from execution.models import Slice
from execution.sending import delivery, outcomes, slices
from execution.sending.delivery import Leaving
from execution.sending.outcomes import Result
from execution.sending.slices import Due, Intent
from execution.sending.stage import Alone, Calls, Stage

# Of real time. Slices that become ready within this are read together, which leaves the rest of
# `task_queue.AHEAD` to claim them in,
GATHER = timedelta(milliseconds=40)
# and those that the market is silent about for longer than this are claimed after the others.
CLAIM_WITHIN = 0.005  # seconds
RECORD_WITHIN = 0.02  # seconds; answers that come within it are booked together
# What is locked elsewhere, mostly for the outcome of the child before it, is read again so often
# before it is claimed by a thread that may wait for the lock.
TRIES, TRY_AGAIN = 2, 0.02  # seconds
# So long before its moment a slice is locked and has its final check, and what leaves within SPAN
# after it with it. A halt, which waits for these locks, waits that much longer at most.
LOOK = 0.01  # seconds
SPAN = 0.02
# Threads of a process. A claimer waits for PostgreSQL half of its time. Where the broker's own book
# is in the database, two would only keep its requests waiting: a burst was a third slower by them.
CLAIMERS = 2
# Each sender holds the locks of a set until all its answers are there.
SENDERS, MORE_SENDERS = 4, 12  # with a connection each; more where the broker takes its time,
REQUESTS = 32  # when requests leave beside each other
QUOTES = 16
BY_THEMSELVES = 4  # for what may wait for a lock


@dataclass(frozen=True, slots=True)
class _Task:
    """Whose turn has come. `taken`: when the worker began with it, for the slice's trace. `tries`:
    how often it was left because its order was locked."""

    slice_id: int
    taken: int
    tries: int = 0


class SliceFlow:
    """The stages of one process."""

    def __init__(self, context: Context) -> None:
        self._context, most = context, context.config.execution.scheduling.set_size
        self._here = context.broker.on_own_connection
        self._quotes = Calls("quotes", threads=QUOTES)
        self._requests = Calls("requests", threads=REQUESTS)
        self._tasks = Stage(
            "read",
            self._read,
            begin=warm,
            most=most,
            gathers=True,
            once=lambda task: task.slice_id,
        )
        self._dues = Stage(
            "claim",
            self._claim,
            alone=self._leave_alone,
            begin=warm,
            most=most,
            keys=lambda due: due.keys,
            gathers=True,
            threads=1 if self._here else CLAIMERS,
        )
        self._leaving = Stage(
            "send",
            self._send,
            begin=warm,
            most=most,
            threads=SENDERS,
            spare=MORE_SENDERS,
            span=self._span,
        )
        self._results = Stage(
            "record",
            self._record,
            alone=self._record_later,
            begin=warm,
            most=most,
            keys=lambda result: result.keys,
            gathers=True,
        )
        self._alone = Stage[Callable[[], None]]("alone", _call, threads=BY_THEMSELVES)

    def bring(self, slice_id: int, *, eta: datetime | None) -> None:
        """`eta`: when its task was to begin; None: it is due now."""
        left = eta + GATHER / clock.speed() - timezone.now() if eta else timedelta(0)
        task = _Task(slice_id, tracing.now())
        self._tasks.put(task, after=max(left.total_seconds(), 0.0))

    def drain(self, seconds: float) -> bool:
        """Wait until all that was brought is done; False if some is not by then."""
        until = monotonic() + seconds
        while not self._idle():
            if monotonic() > until:
                return False
            sleep(0.01)
        return True

    def _idle(self) -> bool:
        """In the order of the flow: what leaves one stage is in the next already."""
        stages = (self._tasks, self._quotes, self._dues, self._alone, self._leaving, self._requests)
        return all(each.idle for each in (*stages, self._results, self._alone))

    def _read(self, tasks: Sequence[_Task]) -> None:
        # Where claiming is behind, a quote would only grow old, and larger sets are read later.
        self._dues.wait_for_room()
        by_id = {task.slice_id: task for task in tasks}
        parts = slices.read(list(by_id), self._context)
        self._quotes.each(lambda part: self._make_ready(part, by_id[part.pk]), parts, wait=False)

    def _make_ready(self, part: Slice, task: _Task) -> None:
        due = slices.ready(part, self._context, taken=task.taken, tries=task.tries)
        if due.may_join:
            self._dues.put(due, after=CLAIM_WITHIN)
        else:
            self._leave_alone(due)

    def _leave_alone(self, due: Due) -> None:
        self._alone.put(partial(self._claim_alone, due))

    def _claim_alone(self, due: Due) -> None:
        intent = slices.claim(
            due.part, due.quote, due.context, now=due.now, tape=due.tape, taken=due.taken
        )
        self._claimed(due, intent)

    def _claim(self, dues: Sequence[Due]) -> None:
        for due, intent in zip(dues, slices.claim_together(dues), strict=True):
            if intent is Alone.LOCKED and due.tries < TRIES:
                task = _Task(due.part.pk, due.taken, due.tries + 1)
                self._tasks.put(task, after=TRY_AGAIN)
            elif isinstance(intent, Alone):
                self._leave_alone(due)
            else:
                self._claimed(due, intent)

    def _claimed(self, due: Due, intent: Intent | None) -> None:
        if intent is not None:
            # Not the claimed one's moment, which may be another by now, and far off.
            moment = due.part.due_at
            left = (moment - due.context.now()) / clock.speed()
            leaving = Leaving(intent, due.context, moment, due.taken)
            self._leaving.put(leaving, after=max(left.total_seconds() - LOOK, 0.0))

    def _span(self) -> float:
        """None where one request would have to wait for the other."""
        return 0.0 if self._here and not self._requests.quick else SPAN

    def _send(self, leaving: Sequence[Leaving]) -> None:
        do_all = partial(self._requests.each, wait=True, here=self._here)
        delivery.transmit_together(leaving, self._concluded, do_all)

    def _concluded(self, result: Result) -> None:
        if isinstance(result.outcome, BrokerOrder):
            self._results.put(result, after=RECORD_WITHIN)
        else:
            self._record_later(result)

    def _record(self, results: Sequence[Result]) -> None:
        for result, left in zip(results, outcomes.record_together(results), strict=True):
            if left is not None:
                self._record_later(result)

    def _record_later(self, result: Result) -> None:
        self._alone.put(partial(outcomes.record_alone, result))


def _call(calls: Sequence[Callable[[], None]]) -> None:
    for call in calls:
        call()


@cache
def of_process() -> SliceFlow:
    """Begins with its first use, which in a pool of processes comes after the fork."""
    return SliceFlow(default())
