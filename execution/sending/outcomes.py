"""What came of a send, and what it makes of the slice: written only if the claim still holds."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.utils import timezone

from deepstack.database.unit_of_work import save
from execution.booking import completion, fills, rejections
from execution.booking.execution_reports import apply, pause_after, random_of, report_unknown
from execution.booking.fills import Inserted
from execution.broker.base import (
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    DuplicateOrder,
    OutcomeUnknown,
)
from execution.context import Context
from execution.domain.lifecycle import (
    ORDER_SENDING,
    OrderStatus,
    SliceStatus,
)
from execution.market import clock
from execution.models import Order, Slice
from execution.orders.journal import move_slice
from execution.orders.locks import locked, locked_together, read_slices_ahead, slice_of
from execution.sending.stage import Alone

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NotSent:
    """Surely nothing left. `retry_after` in seconds, where the broker named one."""

    reason: str
    retry: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It may have arrived. `retry_after` in seconds, where the broker named one. `held_until`:
    where this request surely did not leave, until when an earlier one may still come through."""

    text: str
    retry_after: float | None = None
    held_until: datetime | None = None


Outcome = BrokerOrder | NotSent | Refused | Ambiguous


def of(call: Callable[..., BrokerOrder], *args: object, **kwargs: object) -> Outcome:
    """The outcome of a broker call; what the broker's errors mean is written in their types."""
    try:
        return call(*args, **kwargs)
    except BrokerRejected as error:
        if error.transient:
            return NotSent(str(error), retry=True, retry_after=error.retry_after)
        return Refused(error.code, error.text)
    except BrokerUnavailable as error:
        return NotSent(f"BROKER_UNAVAILABLE: {error}", retry=True)
    except (DuplicateOrder, OutcomeUnknown) as error:
        return Ambiguous(f"{type(error).__name__}: {error}")


def name_of(outcome: Outcome) -> str:
    """For a trace."""
    match outcome:
        case BrokerOrder():
            return outcome.status
        case NotSent():
            return "NOT_SENT"
        case Refused():
            return "REJECTED"
        case Ambiguous():
            return "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a claim. `left_at`: when its request left, None if none did; `again`: an earlier
    one with the same id may have left before."""

    order_id: int
    slice_id: int
    token: UUID
    outcome: Outcome
    context: Context
    left_at: datetime | None = None
    again: bool = False

    @property
    def keys(self) -> Mapping[Hashable, object]:
        """A set has one slice of an order: whether another one lives is read before."""
        return {self.order_id: object()}


def record(
    order_id: int,
    slice_id: int,
    token: UUID,
    outcome: Outcome,
    context: Context,
    *,
    left_at: datetime | None = None,
    again: bool = False,
) -> None:
    """`record_alone`, of a claim that is given by its parts."""
    record_alone(Result(order_id, slice_id, token, outcome, context, left_at, again))


def record_alone(result: Result) -> None:
    """Write the outcome of a claim; a claim that was taken over writes nothing.

    Its commit does not wait for the disk: the intent is there, and the broker, asked for it,
    answers the same again.
    """
    with locked(result.order_id, durable=False) as order:
        _record(order, slice_of(order, result.slice_id), result)


def record_together(results: Sequence[Result]) -> list[Alone | None]:
    """`record_alone`, of what the broker has answered for children of different orders, by one
    transaction. Those whose order is locked elsewhere are left alone."""
    with locked_together((each.order_id for each in results), durable=False) as orders:
        free = [each for each in results if each.order_id in orders]
        if len(free) > 1:
            read_slices_ahead(each.slice_id for each in free)
        parts = {each.order_id: slice_of(orders[each.order_id], each.slice_id) for each in free}
        inserted = _insert_fills(parts, free)
        for each in free:
            own = inserted.get(each.order_id, Inserted())
            _record(orders[each.order_id], parts[each.order_id], each, own)
    return [None if each.order_id in orders else Alone.LOCKED for each in results]


def _insert_fills(parts: Mapping[int, Slice], results: Sequence[Result]) -> dict[int, Inserted]:
    """Book the executions of the children whose claims still hold; `parts` by their orders."""
    children = [
        (part, each.outcome.executions)
        for each in results
        if isinstance(each.outcome, BrokerOrder)
        and (part := parts[each.order_id]).claim_token == each.token
    ]
    return fills.insert(children, broker=results[0].context.broker.name) if children else {}


def _record(order: Order, part: Slice, result: Result, inserted: Inserted | None = None) -> None:
    outcome = result.outcome
    now = result.context.now()  # the wait for the lock may be long: events follow in order
    if part.claim_token != result.token:
        log.warning(
            "claim taken over, its outcome is left to the resolver",
            order_id=result.order_id,
            slice_id=result.slice_id,
            outcome=str(outcome),
        )
        return
    if result.left_at is not None and not isinstance(outcome, NotSent):
        _record_sent_at(part, result.left_at, again=result.again)
    if isinstance(outcome, BrokerOrder):
        apply(order, part, outcome, result.context, asked=True, at=now, inserted=inserted)
    elif part.status != SliceStatus.SENDING:
        return  # the broker's own report came first and is better
    elif isinstance(outcome, NotSent):
        not_sent(order, part, outcome, at=now)
    elif isinstance(outcome, Refused):
        _refused(order, part, outcome, result.context, at=now)
    else:
        _unknown(part, outcome, at=now)


def _record_sent_at(part: Slice, left_at: datetime, *, again: bool) -> None:
    """Until here `sent_at` is the moment that was meant. From a later request nobody learns when
    the first one left, nor how late."""
    if again and part.lateness_ms is not None:
        return
    part.sent_at = left_at
    if not again:
        late = (left_at - part.due_at) / clock.speed()
        part.lateness_ms = late / timedelta(milliseconds=1)
    save(part, "sent_at", "lateness_ms")


def _unknown(part: Slice, outcome: Ambiguous, *, at: datetime) -> None:
    """A slice that was sent again counts as one more question: it counts how long nobody has known,
    and lets the tries grow rarer."""
    pause = pause_after(part.checks, outcome.retry_after, random_of(part))
    move_slice(
        part,
        SliceStatus.UNKNOWN,
        at=at,
        reason=outcome.text,
        check_at_real=timezone.now() + timedelta(seconds=pause),
        checks=part.checks + (part.attempt > 1),
        lease_until_real=outcome.held_until or part.lease_until_real,
    )
    report_unknown(part, outcome.text, at=at)


def not_sent(order: Order, part: Slice, outcome: NotSent, *, at: datetime) -> None:
    """Surely nothing of the slice is at the broker: it is due again in its time, or its shares
    return to the plan at once."""
    pause = pause_after(part.attempt, outcome.retry_after, random_of(part))
    until = at + timedelta(seconds=pause) * clock.speed()
    # A slice of an order that has ended, or is being cancelled, would be planned for nobody.
    lives = order.status in ORDER_SENDING or order.status == OrderStatus.PAUSED
    if outcome.retry and lives and until < part.end_at:
        move_slice(
            part,
            SliceStatus.PLANNED,
            at=at,
            reason=outcome.reason,
            due_at=until,
            enqueued_at_real=None,
            claim_token=None,
            check_at_real=None,
            sent_at=None,
        )
    else:
        move_slice(part, SliceStatus.SKIPPED, at=at, reason=outcome.reason, sent_at=None)
        completion.finish_if_done(order, at=at)


def _refused(
    order: Order, part: Slice, outcome: Refused, context: Context, *, at: datetime
) -> None:
    reason = f"{outcome.code}: {outcome.text}"
    rejections.note(order, part, reason, at=at)
    move_slice(part, SliceStatus.REJECTED, at=at, reason=reason)
    completion.finish_if_done(order, at=at)
    rejections.pause_after_too_many(order, part, context, at=at)
