"""What came of a send, and what it makes of the slice: written only if the claim still holds."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.utils import timezone

from execution import fills, orders, rejects
from execution.broker.base import (
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    DuplicateOrder,
    OutcomeUnknown,
)
from execution.desk import Desk
from execution.domain.lifecycle import (
    ORDER_SENDING,
    SLICE_TERMINAL,
    SLICE_TRANSITIONS,
    OrderStatus,
    SliceStatus,
)
from execution.locks import locked, slice_of
from execution.market import clock
from execution.models import Order, Slice
from execution.story import move_slice, tell
from execution.writing import save

log = structlog.get_logger(__name__)

FIRST_PAUSE = timedelta(milliseconds=300)
LONGEST_PAUSE = 30.0  # seconds
WORRYING = 5  # questions without an answer
NO_REASON = "REJECTED: the broker gives no reason"
REASON_KNOWN_BY = 100  # characters of the broker's words: ours may stand before them, and be cut


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


def record(
    order_id: int,
    slice_id: int,
    token: UUID,
    outcome: Outcome,
    desk: Desk,
    *,
    left_at: datetime | None = None,
    again: bool = False,
) -> None:
    """Write the outcome of a claim; a claim that was taken over writes nothing. `left_at`: when its
    request left, None if none did; `again`: an earlier one with the same id may have left before.

    Its commit does not wait for the disk: the intent is there, and the broker, asked for it, tells
    the same again.
    """
    with locked(order_id, durable=False) as order:
        now = desk.now()  # the wait for the lock may be long: what came first is told first
        part = slice_of(order, slice_id)
        if part.claim_token != token:
            log.warning(
                "claim taken over, its outcome is left to the resolver", outcome=str(outcome)
            )
            return
        if left_at is not None and not isinstance(outcome, NotSent):
            _note_leaving(part, left_at, again=again)
        if isinstance(outcome, BrokerOrder):
            apply(order, part, outcome, desk, asked=True, at=now)
        elif part.status != SliceStatus.SENDING:
            return  # the broker's own news came first and are better
        elif isinstance(outcome, NotSent):
            not_sent(order, part, outcome, at=now)
        elif isinstance(outcome, Refused):
            _refused(order, part, outcome, desk, at=now)
        else:
            _unknown(part, outcome, at=now)


def _note_leaving(part: Slice, left_at: datetime, *, again: bool) -> None:
    """Until here `sent_at` is the moment that was meant. From a later request nobody learns when
    the first one left, nor how late."""
    if again and part.lateness_ms is not None:
        return
    part.sent_at = left_at
    if not again:
        late = (left_at - part.due_at) / clock.speed()
        part.lateness_ms = late / timedelta(milliseconds=1)
    save(part, "sent_at", "lateness_ms")


def apply(
    order: Order, part: Slice, seen: BrokerOrder, desk: Desk, *, asked: bool, at: datetime
) -> None:
    """Take over what the broker says about one child: executions first, then its status.

    Only an answer to a question puts the next question off: news that repeat themselves would
    otherwise keep a lost cancel from ever being asked for again.
    """
    before, reason, named = part.status, part.reason, _is_named(part, seen)
    if named:
        part.broker_order_id = seen.broker_order_id
    fills.book(order, part, seen.executions, broker=desk.broker.name, at=at)
    _follow(order, part, seen, asked=asked, at=at)
    if named and part.status == before:
        save(part, "broker_order_id")
    orders.finish_if_done(order, at=at, part=part)
    if before in SLICE_TERMINAL and part.reason not in ("", reason):
        orders.explain_end(order, at=at)
    if (part.status, part.reason) != (before, reason):
        rejects.pause_after_too_many(order, part, desk, at=at)


def _is_named(part: Slice, seen: BrokerOrder) -> bool:
    return seen.broker_order_id not in ("", part.broker_order_id)


def _follow(order: Order, part: Slice, seen: BrokerOrder, *, asked: bool, at: datetime) -> None:
    """The child's status by what the broker says, once its executions are booked."""
    status = seen.status
    incomplete = status in SLICE_TERMINAL and seen.filled_quantity > part.filled_quantity
    if incomplete:
        # Its executions are still on their way: until they are booked the leaves stay working,
        # or the plan would trade them a second time.
        status = SliceStatus.WORKING
    # A broker that has not seen our cancel yet still says WORKING; and only the fills themselves,
    # when they are corrected, make less of a child that has all its shares.
    known_better = part.status == SliceStatus.FILLED or (
        part.status == SliceStatus.CANCELLING and status == SliceStatus.WORKING
    )
    if not known_better and status in SLICE_TRANSITIONS[SliceStatus(part.status)]:
        reason = _why_ended(part, status, seen.reason, at=at)
        if status == SliceStatus.REJECTED:
            rejects.note(order, part, reason, at=at)
        move_slice(part, status, at=at, reason=reason, **_next_question(status, incomplete))
    elif incomplete or part.status == SliceStatus.CANCELLING:
        missing = "its executions are missing" if incomplete else "its cancel is not confirmed"
        if asked or part.check_wall is None:
            ask_later(part, missing, at=at)
    elif part.check_wall is not None:
        part.check_wall = None
        save(part, "check_wall")
    elif part.is_terminal and seen.reason[:REASON_KNOWN_BY] not in part.reason:
        _give_reason(part, seen.reason, at=at)


def _give_reason(part: Slice, said: str, *, at: datetime) -> None:
    """The broker's words came after the child's end."""
    ours = "" if part.reason == NO_REASON else part.reason
    joined = rejects.unasked(said) if ours == rejects.unasked("") else f"{ours}; {said}"
    part.reason = joined[:300] if ours else said[:300]
    save(part, "reason")
    tell(part.order, "SLICE_REASON", {"slice": part.sequence, "reason": said}, at=at, part=part)


def _why_ended(part: Slice, status: str, said: str, *, at: datetime) -> str:
    """What ends by our own cancel keeps our reason, before the broker's words."""
    if rejects.is_unasked(part, status, at=at):
        return rejects.unasked(said)
    if status == SliceStatus.REJECTED:
        return said or NO_REASON
    ours = part.reason if part.status == SliceStatus.CANCELLING else ""
    if status != SliceStatus.CANCELLED or not ours:
        return said
    return f"{ours}; {said}" if said else ours


def _next_question(status: str, incomplete: bool) -> dict[str, object]:
    """A child that simply works raises no question; its news and its end are heard anyway."""
    asks = incomplete or status == SliceStatus.CANCELLING
    return {"checks": 0, "check_wall": timezone.now() + FIRST_PAUSE if asks else None}


def ask_later(part: Slice, why: str, *, at: datetime) -> None:
    """Note when the broker is asked next about a slice that stays what it is."""
    pause = pause_after(part.checks, None, _dice(part))
    part.check_wall = timezone.now() + timedelta(seconds=pause)
    part.checks += 1
    save(part, "check_wall", "checks")
    _worry(part, why, at=at)


def _worry(part: Slice, why: str, *, at: datetime) -> None:
    """After some questions a person is told; the slice keeps counting as working."""
    if part.checks == WORRYING:
        facts = {"slice": part.sequence, "last": why}
        tell(part.order, "UNKNOWN_LASTS", facts, at=at, part=part)


def _unknown(part: Slice, outcome: Ambiguous, *, at: datetime) -> None:
    """A slice that was sent again counts as one more question: it tells how long nobody has known,
    and lets the tries grow rarer."""
    pause = pause_after(part.checks, outcome.retry_after, _dice(part))
    move_slice(
        part,
        SliceStatus.UNKNOWN,
        at=at,
        reason=outcome.text,
        check_wall=timezone.now() + timedelta(seconds=pause),
        checks=part.checks + (part.attempt > 1),
        lease_until_wall=outcome.held_until or part.lease_until_wall,
    )
    _worry(part, outcome.text, at=at)


def pause_after(tries: int, retry_after: float | None, rng: random.Random) -> float:
    """Seconds until the next try or question: doubling from a quarter second, jittered, never
    before the broker's own Retry-After."""
    pause = min(0.25 * 2.0 ** min(tries, 10), LONGEST_PAUSE) * rng.uniform(0.75, 1.25)
    return max(pause, retry_after or 0.0)


def _dice(part: Slice) -> random.Random:
    return random.Random(  # noqa: S311
        f"{part.order.seed}:{part.sequence}:{part.attempt}:{part.checks}"
    )


def not_sent(order: Order, part: Slice, outcome: NotSent, *, at: datetime) -> None:
    """Surely nothing of the slice is at the broker: it is due again in its time, or its shares
    return to the plan at once."""
    pause = pause_after(part.attempt, outcome.retry_after, _dice(part))
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
            enqueued_wall=None,
            claim_token=None,
            check_wall=None,
            sent_at=None,
        )
    else:
        move_slice(part, SliceStatus.SKIPPED, at=at, reason=outcome.reason, sent_at=None)
        orders.finish_if_done(order, at=at)


def _refused(order: Order, part: Slice, outcome: Refused, desk: Desk, *, at: datetime) -> None:
    reason = f"{outcome.code}: {outcome.text}"
    rejects.note(order, part, reason, at=at)
    move_slice(part, SliceStatus.REJECTED, at=at, reason=reason)
    orders.finish_if_done(order, at=at)
    rejects.pause_after_too_many(order, part, desk, at=at)
