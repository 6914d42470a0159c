"""A slice leaves: claimed once, sized with fresh facts, its intent stored, then sent.

The claim and the intent are one commit. Before it nothing has happened and the task is enqueued
again; after it the broker may have the order, and only the broker is asked.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID, uuid4

import structlog
from django.db import Error
from django.utils import timezone

from deepstack.database.unit_of_work import Overtaken, save
from deepstack.observability.tracing import tracing
from execution import heartbeat, task_queue
from execution.booking import completion
from execution.broker.base import Ticket
from execution.context import Context
from execution.domain.event_kinds import EventKind
from execution.domain.holds import code_of
from execution.domain.lifecycle import (
    ORDER_SENDING,
    SLICE_CLAIMABLE,
    OrderStatus,
    SliceStatus,
)
from execution.market import clock
from execution.market.base import MarketDataUnavailable, Quote
from execution.models import Order, Slice
from execution.orders import order_trace
from execution.orders.journal import move_order, move_slice, record_event
from execution.orders.locks import NeedsOwnTransaction, locked, locked_together
from execution.planning import broker_algos, participation
from execution.risk import marks, pretrade, send_snapshot
from execution.risk.exposure import counts_each_message
from execution.sending import due_slice, market_hours, targeting
from execution.sending.decision import Child, NotNow, decide, retry_pause
from execution.sending.stage import Alone
from execution.sending.targeting import Tape

log = structlog.get_logger(__name__)

T = TypeVar("T")

# A task may be taken this much early by the clocks of two processes.
EARLY = timedelta(milliseconds=50)
LONGEST_PAUSE = timedelta(seconds=5)  # of the wall clock, between two looks at a slice that waits
# A price may be missing only because its symbol was traded after the prices were read.
RACED, SOON = frozenset({"DAILY_LOSS_UNKNOWN", "HEAT_UNKNOWN"}), timedelta(milliseconds=100)
NO_TAPE = Tape()

# What a claim writes.
_INTENT = (
    "status", "reason", "claim_token", "attempt", "lease_until_real", "check_at_real", "end_at",
    "quantity", "limit_price", "reference_price", "broker", "sent_at", "explanation",
    "aimed_quantity",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Intent:
    """A claimed slice whose order to the broker is committed; the token fences every result.

    `again`: an earlier request with the same id may have left, so that only the broker's own word
    about the id ends the question. `absent`: that word was given, no earlier request can come
    through any more, and until this one leaves nothing is at the broker. `held_until`: how long
    the lease of the last request lasts that may have left.
    """

    part: Slice
    token: UUID
    ticket: Ticket
    again: bool = False
    absent: bool = False
    held_until: datetime | None = None


def read(slice_ids: Sequence[int], context: Context) -> list[Slice]:
    """Those of the slices whose time has come and that nobody has claimed; none where this
    process's clock is far off, which would have them sent, or given up, at any time."""
    now, before = context.now(), timezone.now()
    begins = now + task_queue.AHEAD + EARLY * clock.speed()
    found = due_slice.read(slice_ids)
    if found and _clock_is_far_off(found[0], before):
        return []
    return [
        part
        for part in found
        if part.status in SLICE_CLAIMABLE
        and part.due_at <= begins
        and part.order.status in ORDER_SENDING
    ]


def _clock_is_far_off(part: Slice, before: datetime) -> bool:
    theirs: datetime = part.read_at_real  # type: ignore[attr-defined]  # annotated
    ahead = heartbeat.ahead_of(theirs, before=before, after=timezone.now())
    if abs(ahead) < heartbeat.FAR_OFF_SECONDS:
        return False
    log.warning("left to workers whose clock is right", slice_id=part.pk, ahead_seconds=ahead)
    return True


def ready(part: Slice, context: Context, *, taken: int = 0, tries: int = 0) -> "Due":
    """With what the market says, which may be a network away: no lock is held meanwhile."""
    began = tracing.now()
    now, context, symbol = context.now(), context.of(part.order), part.order.symbol
    needed = marks.needed_for(part, context)
    quote = _ask_market(lambda: context.market.quote(symbol, now), None, symbol)
    tape = _ask_market(
        lambda: targeting.read_tape(part, context, now=now, needed=needed), NO_TAPE, symbol
    )
    order_trace.asked_market(part, began=began, quoted=quote is not None)
    return Due(part, quote, tape, context, max(now, part.due_at), taken, tries)


def _ask_market(ask: Callable[[], T], nothing: T, symbol: str) -> T:
    """What the market says, or `nothing` where it cannot answer, whatever the way it fails: then
    the slice is put off. What PostgreSQL raises, where halts are stored, is no answer of its."""
    try:
        return ask()
    except MarketDataUnavailable as error:
        log.warning("the market does not answer", symbol=symbol, error=str(error))
    except Error:
        raise
    except Exception:  # of a plug-in: nothing may be concluded from it
        log.exception("the source of market data failed", symbol=symbol)
    return nothing


@dataclass(frozen=True, slots=True)
class Due:
    """A slice that is ready to be claimed at `now`, with what the market says of it. `taken`: when
    a worker took its task, for its trace; `tries`: how often its order was locked."""

    part: Slice
    quote: Quote | None
    tape: Tape
    context: Context
    now: datetime
    taken: int = 0
    tries: int = 0

    @property
    def keys(self) -> Mapping[Hashable, object]:
        """A set has one slice of an order, so that each is sized with all before it, and one side
        of a symbol, so that none is checked against an intent that is not stored yet."""
        order = self.part.order
        return {order.pk: object(), (order.account, order.symbol): order.side}

    @property
    def may_join(self) -> bool:
        """Not where more than its order's lock is needed, or earlier sends are counted."""
        order, context = self.part.order, self.context
        paced = participation.pace(order, self.part, context.config.execution) is not None
        return not (self.part.attempt or paced or counts_each_message(context.bounds))


def claim_together(dues: Sequence[Due]) -> list[Intent | Alone | None]:
    """Claim a set of slices by one transaction. Those whose order is locked elsewhere, or that need
    a lock beside their order's, are left alone."""
    began = tracing.now()
    with locked_together(due.part.order_id for due in dues) as orders:
        parts = [(orders.get(due.part.order_id), due.part.pk) for due in dues]
        free = [(order, slice_id) for order, slice_id in parts if order is not None]
        if len(free) > 1:
            pretrade.read_ahead(free, dues[0].context, now=dues[0].now)
        claimed = [_claim_among(orders, due) for due in dues]
    for due, intent in zip(dues, claimed, strict=True):
        if not isinstance(intent, Alone):
            _trace(due.part, intent, began, taken=due.taken, together=len(dues))
    return claimed


def _claim_among(orders: Mapping[int, Order], due: Due) -> Intent | Alone | None:
    order = orders.get(due.part.order_id)
    if order is None:
        return Alone.LOCKED
    try:
        return _claim(order, due.part.pk, due.quote, due.context, now=due.now, tape=due.tape)
    except NeedsOwnTransaction:  # raised before anything of the slice was written
        return Alone.ALONE


def claim(
    part: Slice,
    quote: Quote | None,
    context: Context,
    *,
    now: datetime,
    tape: Tape = NO_TAPE,
    taken: int = 0,
) -> Intent | None:
    """Claim the slice and commit its intent; None when there is nothing to send."""
    began, intent = tracing.now(), None
    with suppress(Overtaken), locked(part.order_id) as order:
        intent = _claim(order, part.pk, quote, context, now=now, tape=tape)
    _trace(part, intent, began, taken=taken)
    return intent


def _trace(
    part: Slice, intent: Intent | None, began: int, *, taken: int, together: int = 1
) -> None:
    order_trace.claimed(
        part, began=began, taken=taken, intends=intent is not None, together=together
    )


def _claim(
    order: Order, slice_id: int, quote: Quote | None, context: Context, *, now: datetime, tape: Tape
) -> Intent | None:
    context = context.of(order)
    part, working, snapshot = send_snapshot.claimable(order, slice_id)
    if part.status not in SLICE_CLAIMABLE or order.status not in ORDER_SENDING:
        return None
    aim = targeting.aim(order, part, tape.curve)
    part.aimed_quantity = aim.aimed
    decision = decide(
        order,
        part,
        quote,
        context,
        aim=aim,
        tape=tape,
        working=working,
        snapshot=snapshot,
        now=now,
    )
    if isinstance(decision, NotNow):
        _defer_or_skip(order, part, decision, context, now=now)
        return None
    intent = _store_intent(order, part, decision, context, now=now)
    if order.status == OrderStatus.ACCEPTED:
        move_order(order, OrderStatus.WORKING, at=now)
    return intent


def _defer_or_skip(
    order: Order, part: Slice, why: NotNow, context: Context, *, now: datetime
) -> None:
    until = why.until or now + _pause(part, why.reason, context, now=now)
    part.explanation = why.explanation
    save(part, "explanation", "aimed_quantity")
    if why.passing and until < part.end_at:
        defer(order, part, until=until, reason=why.reason, at=now)
    else:
        waited = f": {part.reason}" if why.late and part.reason else ""
        move_slice(part, SliceStatus.SKIPPED, at=now, reason=why.reason + waited)
        completion.finish_if_done(order, at=now)


def defer(order: Order, part: Slice, *, until: datetime, reason: str, at: datetime) -> None:
    """Due again at `until`, which must lie before the slice's end."""
    known, part.reason = part.reason, reason[:300]
    part.status, part.due_at, part.enqueued_at_real = SliceStatus.PLANNED, until, None
    save(part, "status", "due_at", "enqueued_at_real", "reason")
    if code_of(part.reason) != code_of(known):  # a halt of an hour is one event, not one each try
        facts = {"slice": part.sequence, "reason": reason}
        record_event(order, EventKind.SLICE_DEFERRED, facts, at=at, part=part)


def _pause(part: Slice, reason: str, context: Context, *, now: datetime) -> timedelta:
    """Until the next try of a slice that may not leave: a quarter of the time that it has waited
    for the same already, so that an outage is not made worse by those who wait for its end."""
    usual, code = retry_pause(context), code_of(reason)
    if code_of(part.reason) != code:
        return min(usual, SOON * clock.speed()) if code in RACED else usual
    deferrals = part.events.filter(kind=EventKind.SLICE_DEFERRED).order_by("-pk")
    began = deferrals.values_list("at", flat=True).first() or now
    return max(usual, min((now - began) / 4, LONGEST_PAUSE * clock.speed()))


def _store_intent(
    order: Order, part: Slice, child: Child, context: Context, *, now: datetime
) -> Intent:
    scheduling = context.config.execution.scheduling
    wall = timezone.now()
    life = timedelta(seconds=scheduling.min_life_seconds) * clock.speed()
    part.status, part.reason = SliceStatus.SENDING, ""
    part.claim_token = token = uuid4()
    part.attempt += 1
    part.lease_until_real = part.check_at_real = wall + timedelta(seconds=scheduling.lease_seconds)
    part.end_at = min(order.end_at, max(part.end_at, now + life))
    part.quantity, part.limit_price = child.quantity, child.limit_price
    part.reference_price, part.explanation = child.reference_price, child.explanation
    part.broker, part.sent_at = context.broker.name, now
    save(part, *_INTENT, among=SLICE_CLAIMABLE)
    facts = {
        "slice": part.sequence,
        "client_order_id": part.client_order_id,
        "quantity": child.quantity,
        "limit_price": child.limit_price,
        "attempt": part.attempt,
        **child.explanation,
    }
    record_event(order, EventKind.SLICE_SENDING, facts, at=now, part=part)
    return Intent(part, token, ticket(part, child.quantity, child.limit_price, context, now=now))


def ticket(
    part: Slice, quantity: int, limit_price: Decimal, context: Context, *, now: datetime
) -> Ticket:
    order = part.order
    return Ticket(
        client_order_id=part.client_order_id,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        limit_price=limit_price,
        extended_hours=market_hours.extended(order, context.market, now=now),
        native=broker_algos.of(order, part),
    )
