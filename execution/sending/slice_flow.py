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
# Threads of a process.
SENDERS = 4  # each holds the locks of a set until all its answers are there
REQUESTS = 16  # beside the senders, where the broker takes its time
BY_THEMSELVES = 4  # for what may wait for a lock


@dataclass(frozen=True, slots=True)
class _Task:
    """Whose turn has come. `taken`: when the worker began with it, for the slice's trace."""

    slice_id: int
    taken: int


class SliceFlow:
    """The stages of one process."""

    def __init__(self, context: Context) -> None:
        self._context, most = context, context.config.execution.scheduling.set_size
        self._tasks = Stage("read", self._read, begin=warm, most=most, gathers=True)
        self._dues = Stage(
            "claim",
            self._claim,
            alone=self._leave_alone,
            begin=warm,
            most=most,
            keys=lambda due: due.keys,
            gathers=True,
        )
        self._leaving = Stage("send", self._send, begin=warm, most=most, threads=SENDERS)
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
        self._quotes, self._requests = Calls("quotes", REQUESTS), Calls("requests", REQUESTS)

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
        taken = {task.slice_id: task.taken for task in tasks}
        parts = slices.read(list(taken), self._context)
        self._quotes.each(lambda part: self._make_ready(part, taken[part.pk]), parts, wait=False)

    def _make_ready(self, part: Slice, taken: int) -> None:
        due = slices.ready(part, self._context, taken=taken)
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
            if isinstance(intent, Alone):
                self._leave_alone(due)
            else:
                self._claimed(due, intent)

    def _claimed(self, due: Due, intent: Intent | None) -> None:
        if intent is not None:
            # Not the claimed one's moment, which may be another by now, and far off.
            left = (due.part.due_at - due.context.now()) / clock.speed()
            leaving = Leaving(intent, due.context, due.taken)
            self._leaving.put(leaving, after=max(left.total_seconds(), 0.0))

    def _send(self, leaving: Sequence[Leaving]) -> None:
        delivery.transmit_together(
            leaving, self._concluded, partial(self._requests.each, wait=True)
        )

    def _concluded(self, result: Result) -> None:
        if isinstance(result.outcome, BrokerOrder):
            self._results.put(result, after=RECORD_WITHIN)
        else:
            self._record_later(result)

    def _record(self, results: Sequence[Result]) -> None:
        for result, left in zip(results, outcomes.record_together(results), strict=True):
            if left is Alone.ALONE:
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
