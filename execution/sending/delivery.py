"""Claimed slices leave: each with its final check and its request, while its locks are held."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from django.db import Error, transaction
from django.utils import timezone

from deepstack.database.prepared_query import looking_ahead
from deepstack.database.unit_of_work import save
from deepstack.observability.tracing import tracing
from execution.broker.base import BrokerOrder
from execution.context import Context
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import ORDER_SENDING, OrderStatus, SliceStatus
from execution.domain.risk_checks import Denial, halted_by_exchange
from execution.domain.unexecuted import WINDOW_OVER
from execution.market import clock, trading_halts
from execution.market.trading_halts import TradingHalts
from execution.models import Slice
from execution.orders import order_trace
from execution.orders.journal import move_slice, record_event
from execution.orders.locks import locked, sending, slice_of
from execution.risk import marks, pretrade, send_snapshot
from execution.risk.checked_order import CheckedOrder
from execution.risk.exposure import working_leaves
from execution.risk.pretrade import Priced
from execution.sending import market_hours, outcomes
from execution.sending.outcomes import NotSent, Outcome, Result
from execution.sending.slices import Intent, ticket

log = structlog.get_logger(__name__)

CLAIM_LOST = NotSent("CLAIM_LOST", retry=True)


@dataclass(frozen=True, slots=True)
class Leaving:
    """An intent, what it is sent with, and its moment; None: at once. `taken`: when a worker took
    the slice's task, for its trace."""

    intent: Intent
    context: Context
    moment: datetime | None = None
    taken: int = 0

    def wait(self) -> None:
        """Until its moment."""
        if self.moment is not None:
            left = (self.moment - self.context.now()) / clock.speed()
            time.sleep(max(left.total_seconds(), 0.0))


Call = Callable[[Leaving], None]


def one_by_one(call: Call, leaving: Iterable[Leaving]) -> None:
    for each in leaving:
        call(each)


def transmit(intent: Intent, context: Context, *, moment: datetime | None = None) -> None:
    """Send one slice, at `moment` if that is still to come, and record what came of it."""
    results, leaving = list[Result](), Leaving(intent, context, moment)
    leaving.wait()
    transmit_together([leaving], results.append)
    for result in results:
        outcomes.record_alone(result)


def transmit_together(
    leaving: Sequence[Leaving],
    report: Callable[[Result], None],
    do_all: Callable[[Call, Iterable[Leaving]], None] = one_by_one,
) -> None:
    """The final checks, and with no transaction open the requests of those that passed, each at its
    moment, which `do_all` makes and waits for. `report` gets at once what came of each, and must
    not raise."""
    concluded = set[int]()

    def conclude(each: Leaving, outcome: Outcome, *, alone: bool, at: datetime | None) -> None:
        concluded.add(each.intent.part.pk)
        result = _result(each, outcome, alone=alone, left_at=at)
        report(result)
        order_trace.worked(each.intent.part, outcomes.name_of(result.outcome), taken=each.taken)

    def place(each: Leaving) -> None:
        at, outcome = _place(each, halts)
        conclude(each, outcome, alone=True, at=at)

    alone: frozenset[int] = frozenset()
    try:
        with sending(each.intent.part.pk for each in leaving) as alone:
            held = _held_back(leaving, alone)
            for each, why in zip(leaving, held, strict=True):
                if why is not None:
                    conclude(each, why, alone=each.intent.part.pk in alone, at=None)
            halts = trading_halts.stored().as_known_now()
            free = [each for each, why in zip(leaving, held, strict=True) if why is None]
            do_all(place, _each_at_its_moment(free))
    except Error as error:
        # Only the locks and the look can raise this; the broker's answer is never an exception.
        why = NotSent(f"the final check failed: {error}".strip(), retry=True)
        for each in leaving:
            if each.intent.part.pk not in concluded:
                conclude(each, why, alone=each.intent.part.pk in alone, at=None)


def _place(each: Leaving, halts: TradingHalts) -> tuple[datetime | None, Outcome]:
    """When the request left, and what came of it. It does not leave where its moment, or what
    those of its set took, has brought it into a halt, beyond its window or its lease."""
    at, began = each.context.now(), tracing.now()
    why = _overtaken(each.intent.part, halts, at=at)
    if why is not None:
        return None, why
    outcome = outcomes.of(each.context.broker.place, each.intent.ticket, now=at)
    order_trace.asked_broker(
        each.intent.part,
        "send to broker",
        outcomes.name_of(outcome),
        began=began,
        failed=not isinstance(outcome, BrokerOrder),
    )
    return at, outcome


def _overtaken(part: Slice, halts: TradingHalts, *, at: datetime) -> NotSent | None:
    """Why the request may not leave at `at`, though the final check let it."""
    if _lease_is_over(part):
        return CLAIM_LOST
    if at >= part.end_at:
        return NotSent(WINDOW_OVER, retry=True)
    halt = halts.at(part.order.symbol, at)
    return NotSent(str(halted_by_exchange(halt.since, halt.reason)), retry=True) if halt else None


def _lease_is_over(part: Slice) -> bool:
    return part.lease_until_real is None or part.lease_until_real <= timezone.now()


def _result(each: Leaving, outcome: Outcome, *, alone: bool, left_at: datetime | None) -> Result:
    intent, part = each.intent, each.intent.part
    if intent.again and isinstance(outcome, NotSent) and not (intent.absent and alone):
        held_until = intent.held_until if alone else None
        outcome = outcomes.Ambiguous(outcome.reason, outcome.retry_after, held_until)
    return Result(
        part.order_id, part.pk, intent.token, outcome, each.context, left_at, again=intent.again
    )


def _each_at_its_moment(leaving: Iterable[Leaving]) -> Iterator[Leaving]:
    for each in leaving:
        each.wait()
        yield each


def _held_back(leaving: Sequence[Leaving], alone: frozenset[int]) -> list[NotSent | None]:
    """Why each may not be sent after all, read at the last moment; None where it may."""
    with looking_ahead():
        if len(leaving) > 1:
            claims = [(each.intent.part, each.intent.token) for each in leaving]
            send_snapshot.read_final_checks_ahead(claims)
        return [_held(each) if each.intent.part.pk in alone else CLAIM_LOST for each in leaving]


def _held(each: Leaving) -> NotSent | None:
    try:
        return final_check(each.intent, each.context)
    except Error:
        raise
    except Exception as error:  # one that cannot be checked harms no other of its set
        log.exception("the final check failed", slice_id=each.intent.part.pk)
        return NotSent(f"the final check failed: {type(error).__name__}", retry=True)


def final_check(intent: Intent, context: Context) -> NotSent | None:
    """Why this claim may not be sent after all; None when it may."""
    part = intent.part
    claim = send_snapshot.final_check(part, intent.token)
    if claim is None or claim.lease_until_real <= timezone.now():
        return CLAIM_LOST
    if claim.order_status not in ORDER_SENDING:
        # A paused order goes on: the slice waits for that.
        return NotSent(
            f"ORDER_{claim.order_status}", retry=claim.order_status == OrderStatus.PAUSED
        )
    if intent.again:
        denial = _resend_denial(part, context)
    else:
        denial = pretrade.last_denial(part, context, claim.snapshot)
    return None if denial is None else NotSent(str(denial), retry=True)


def _resend_denial(part: Slice, context: Context) -> Denial | None:
    """All limits anew, and halts of the exchange: the intent may have been stored long ago."""
    order, now = part.order, context.now()
    context = context.of(order)
    if (closed := market_hours.closed(order, context.market, now=now)) is not None:
        return closed
    checked = CheckedOrder(
        order,
        part.quantity or 0,
        marks.read(order.account, order.symbol, context, needed=marks.needed(context), now=now),
        now,
        working=working_leaves(part.order, beside=part),
    )
    halt = trading_halts.stored().at(order.symbol, now)
    priced = Priced(part.limit_price, None, halt=halt)
    with transaction.atomic():
        return pretrade.resend_denial(checked, priced, context, send_snapshot.anew(part))


def resend(
    order_id: int, slice_id: int, context: Context, *, after: UUID | None, absent: bool
) -> None:
    """Send the stored intent once more under its own id, after the broker did not find that of the
    claim `after`. The broker refuses the id should the first request still come through, which it
    cannot where it is `absent`: what keeps the repetition from leaving frees the shares then."""
    with locked(order_id) as order:
        now = context.now()
        part = slice_of(order, slice_id)
        if part.status not in (SliceStatus.SENDING, SliceStatus.UNKNOWN):
            return
        if part.claim_token != after:
            return  # somebody else has sent it since the broker was asked
        if part.quantity is None or part.limit_price is None:
            return
        lease = timezone.now() + timedelta(
            seconds=context.config.execution.scheduling.lease_seconds
        )
        before = part.lease_until_real
        part.claim_token = token = uuid4()
        part.attempt += 1
        part.lease_until_real = part.check_at_real = lease
        save(part, "claim_token", "attempt", "lease_until_real", "check_at_real")
        if part.status == SliceStatus.UNKNOWN:
            move_slice(part, SliceStatus.SENDING, at=now, reason="never arrived")
        record_event(order, EventKind.SLICE_RESENDING, {"slice": part.sequence}, at=now, part=part)
        order_ticket = ticket(part, part.quantity, part.limit_price, context, now=now)
    transmit(
        Intent(part, token, order_ticket, again=True, absent=absent, held_until=before), context
    )
