"""What the broker reports of one child: its state, its executions, its reason, booked once."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db.models import F
from django.utils import timezone

from deepstack.database.prepared_query import IsAny, Param, Prepared
from deepstack.database.sessions import is_away
from deepstack.database.unit_of_work import save
from deepstack.observability.tracing import tracing
from execution.booking import completion, execution_reports, fills, rejections
from execution.booking.fills import Inserted
from execution.broker.base import (
    BrokerError,
    BrokerOrder,
    BrokerRejected,
    Execution,
    ExecutionKey,
)
from execution.context import Context
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import (
    SLICE_TERMINAL,
    SLICE_TRANSITIONS,
    SliceStatus,
)
from execution.models import Fill, Order, Slice
from execution.orders import order_trace
from execution.orders.journal import move_slice, record_event
from execution.orders.locks import locked, slice_of

FIRST_PAUSE = timedelta(milliseconds=300)


LONGEST_PAUSE = 30.0  # seconds


UNKNOWN_AFTER = 5  # questions without an answer


NO_REASON = "REJECTED: the broker gives no reason"


REASON_KNOWN_BY = 100  # characters of the broker's words: ours may stand before them, and be cut


def apply(
    order: Order,
    part: Slice,
    report: BrokerOrder,
    context: Context,
    *,
    asked: bool,
    at: datetime,
    inserted: Inserted | None = None,
) -> None:
    """Take over what the broker says about one child: executions first, then its status.
    `inserted`: of its executions, where they were stored together with others.

    Only an answer to a question puts the next question off: reports that repeat themselves would
    otherwise keep a lost cancel from ever being asked for again.
    """
    before, reason, named = part.status, part.reason, _is_named(part, report)
    if named:
        part.broker_order_id = report.broker_order_id
    fills.book(order, part, report.executions, broker=context.broker.name, at=at, inserted=inserted)
    _follow(order, part, report, asked=asked, at=at)
    if named and part.status == before:
        save(part, "broker_order_id")
    completion.finish_if_done(order, at=at, part=part)
    if before in SLICE_TERMINAL and part.reason not in ("", reason):
        completion.explain_end(order, at=at)
    if (part.status, part.reason) != (before, reason):
        rejections.pause_after_too_many(order, part, context, at=at)


def _is_named(part: Slice, report: BrokerOrder) -> bool:
    return report.broker_order_id not in ("", part.broker_order_id)


def _follow(order: Order, part: Slice, report: BrokerOrder, *, asked: bool, at: datetime) -> None:
    """The child's status by what the broker says, once its executions are booked."""
    status = report.status
    incomplete = status in SLICE_TERMINAL and report.filled_quantity > part.filled_quantity
    if incomplete:
        # Its executions are still on their way: until they are booked the leaves stay working,
        # or the plan would trade them a second time.
        status = SliceStatus.WORKING
    # A broker that has not report our cancel yet still says WORKING; and only the fills themselves,
    # when they are corrected, make less of a child that has all its shares.
    known_better = part.status == SliceStatus.FILLED or (
        part.status == SliceStatus.CANCELLING and status == SliceStatus.WORKING
    )
    if not known_better and status in SLICE_TRANSITIONS[SliceStatus(part.status)]:
        reason = _why_ended(part, status, report.reason, at=at)
        if status == SliceStatus.REJECTED:
            rejections.note(order, part, reason, at=at)
        move_slice(part, status, at=at, reason=reason, **_next_question(status, incomplete))
    elif incomplete or part.status == SliceStatus.CANCELLING:
        missing = "its executions are missing" if incomplete else "its cancel is not confirmed"
        if asked or part.check_at_real is None:
            ask_later(part, missing, at=at)
    elif part.check_at_real is not None:
        part.check_at_real, part.checks = None, 0
        save(part, "check_at_real", "checks")
    elif part.is_terminal and report.reason[:REASON_KNOWN_BY] not in part.reason:
        _add_reason(part, report.reason, at=at)


def _add_reason(part: Slice, said: str, *, at: datetime) -> None:
    """The broker's words came after the child's end."""
    ours = "" if part.reason == NO_REASON else part.reason
    joined = rejections.unasked(said) if ours == rejections.unasked("") else f"{ours}; {said}"
    part.reason = joined[:300] if ours else said[:300]
    save(part, "reason")
    record_event(
        part.order,
        EventKind.SLICE_REASON,
        {"slice": part.sequence, "reason": said},
        at=at,
        part=part,
    )


def _why_ended(part: Slice, status: str, said: str, *, at: datetime) -> str:
    """What ends by our own cancel keeps our reason, before the broker's words."""
    if rejections.is_unasked(part, status, at=at):
        return rejections.unasked(said)
    if status == SliceStatus.REJECTED:
        return said or NO_REASON
    ours = part.reason if part.status == SliceStatus.CANCELLING else ""
    if status != SliceStatus.CANCELLED or not ours:
        return said
    return f"{ours}; {said}" if said else ours


def _next_question(status: str, incomplete: bool) -> dict[str, object]:
    """A child that simply works raises no question; its fills and its end are reported anyway."""
    asks = incomplete or status == SliceStatus.CANCELLING
    return {"checks": 0, "check_at_real": timezone.now() + FIRST_PAUSE if asks else None}


def ask_later(part: Slice, why: str, *, at: datetime, longest: float = LONGEST_PAUSE) -> None:
    """Note when the broker is asked next about a slice that stays what it is: after a pause that
    doubles, up to `longest` seconds."""
    pause = min(pause_after(part.checks, None, random_of(part)), longest)
    part.check_at_real = timezone.now() + timedelta(seconds=pause)
    part.checks += 1
    save(part, "check_at_real", "checks")
    report_unknown(part, why, at=at)


def report_unknown(part: Slice, why: str, *, at: datetime) -> None:
    """After some questions an event of the order says so, and an alert comes of it; the slice keeps
    counting as working."""
    if part.checks == UNKNOWN_AFTER:
        facts = {"slice": part.sequence, "last": why}
        record_event(part.order, EventKind.OUTCOME_UNKNOWN, facts, at=at, part=part)


def pause_after(tries: int, retry_after: float | None, rng: random.Random) -> float:
    """Seconds until the next try or question: doubling from a quarter second, jittered, never
    before the broker's own Retry-After."""
    pause = min(0.25 * 2.0 ** min(tries, 10), LONGEST_PAUSE) * rng.uniform(0.75, 1.25)
    return max(pause, retry_after or 0.0)


def random_of(part: Slice) -> random.Random:
    return random.Random(  # noqa: S311
        f"{part.order.seed}:{part.sequence}:{part.attempt}:{part.checks}"
    )


log = structlog.get_logger(__name__)

# Most reports repeat what the outcome of the send has said.
_SLICES = Prepared[tuple[str, int, int, str, int, str]](
    lambda: Slice.objects.filter(IsAny(F("client_order_id"), Param("ids", [""]))).values_list(
        "client_order_id", "pk", "order_id", "status", "filled_quantity", "reason"
    )
)


_Booked = tuple[int, int, Decimal, Decimal | None]  # revision, quantity, price, commission


_BOOKED = Prepared[tuple[str, str, int, int, Decimal, Decimal | None]](
    lambda: Fill.objects.filter(
        IsAny(F("execution_id"), Param("ids", [""])), broker=Param("broker", "")
    ).values_list("account", "execution_id", "revision", "quantity", "price", "commission")
)


def book_report(part: Slice, report: BrokerOrder, context: Context, *, asked: bool = False) -> None:
    """Book what the broker reports of one child, of its own accord or because it was `asked`; a
    child that works there although we have ended it is cancelled there."""
    with locked(part.order_id) as order:
        at = context.now()
        part = slice_of(order, part.pk)
        execution_reports.apply(order, part, report, context, asked=asked, at=at)
        stray = part.status in SLICE_TERMINAL and report.status == SliceStatus.WORKING
    if stray:
        cancel_child(part, context)


def cancel_child(part: Slice, context: Context) -> None:
    began, outcome = tracing.now(), "ASKED"
    try:
        context.broker.cancel(part.client_order_id, now=context.now())
    except BrokerRejected as error:
        outcome = "REJECTED"
        # Too late to cancel, most often because it filled; the look-up that follows shows it.
        log.info("cancel refused", code=error.code, text=error.text)
    except BrokerError as error:
        outcome = "UNKNOWN"
        log.warning("cancel not confirmed, asked again later", error=str(error))
    order_trace.asked_broker(
        part, "cancel at broker", outcome, began=began, failed=outcome != "ASKED"
    )


def book_reports(reports: Sequence[BrokerOrder], context: Context) -> bool:
    """Book what the broker reports of many children, where it is new; False if any cannot be."""
    parts = {row[0]: row for row in _SLICES.all(ids=[report.client_order_id for report in reports])}
    executions = [execution.execution_id for report in reports for execution in report.executions]
    fills = _BOOKED.all(ids=executions, broker=context.broker.name) if executions else []
    booked: dict[ExecutionKey, _Booked] = {(row[0], row[1]): row[2:] for row in fills}
    taken = [
        try_book_report(Slice(pk=row[1], order_id=row[2]), report, context)
        for report in reports
        if (row := parts.get(report.client_order_id)) and _differs(row[3:], report, booked)
    ]
    return all(taken)


def try_book_report(part: Slice, report: BrokerOrder, context: Context) -> bool:
    """Whether it was booked. One order's impossible report must not keep those of all others from
    being booked; the cursor stays, so that it comes again and again until a person looks."""
    try:
        book_report(part, report, context)
    except Exception as error:
        if is_away(error) or isinstance(error, BrokerError):
            raise
        log.exception(
            "a report that cannot be booked",
            client_order_id=report.client_order_id,
            report=str(report),
        )
        return False
    return True


def _differs(
    known: tuple[str, int, str], report: BrokerOrder, booked: Mapping[ExecutionKey, _Booked]
) -> bool:
    """`known`: status, filled quantity and reason of our slice."""
    if known[:2] != (report.status, report.filled_quantity):
        return True
    if report.reason[: execution_reports.REASON_KNOWN_BY] not in known[2]:
        return True
    return any(_is_new(execution, booked.get(execution.key)) for execution in report.executions)


def _is_new(execution: Execution, booked: _Booked | None) -> bool:
    if booked is None:
        return True
    revision, quantity, price, commission = booked
    if revision < execution.revision or execution.commission not in (None, commission):
        return True
    same = (quantity, price) == (execution.quantity, execution.price)
    return revision == execution.revision and not same
