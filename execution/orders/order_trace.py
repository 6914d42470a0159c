"""The trace of an order, from its signal to its fills: which steps it has and what they say.

All spans of an order are one trace. Its id derives from the order's number and seed, and the id of
a slice's work from the slice's number and due time: a worker that sends a slice hours later, and a
listener that books its fill, need nothing but the rows that they have read anyway. Attributes are
numbers, names and codes; no text of a broker's or a person's is among them.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from deepstack.observability.trace_ids import span_id, trace_id
from deepstack.observability.tracing import Kind, Step, harmless, tracing
from execution.domain.event_kinds import EventKind
from execution.domain.holds import code_of
from execution.domain.lifecycle import ORDER_TERMINAL, SliceStatus
from execution.models import Order, OrderEvent, Slice
from execution.orders import caller

About = dict[str, str | int]
_CODE, _SKIPPED = re.compile("[A-Z][A-Z0-9_]*"), SliceStatus.SKIPPED
# Of a slice: id, number in its order, due time; of its order: id, seed, side, symbol.
QueuedSlice = tuple[int, int, datetime, int, int, str, str]


def id_of(order: Order) -> str:
    """As receivers of traces show it, and search for it; empty while nothing is traced."""
    return f"{_ids_of(order.pk, order.seed)[0]:032x}" if tracing.on else ""


@harmless
def accepted(orders: Sequence[Order], *, began: int, planned: int) -> None:
    """They are stored. `began` with the signal, `planned` when it was checked and planned; of a
    batch these are the times of all."""
    ended, link = tracing.now(), caller.current().traceparent
    for order in orders:
        trace, root = _ids_of(order.pk, order.seed)
        about = _about_order(order)
        outcome = about | {
            "deepstack.account": order.account,
            "deepstack.strategy": order.strategy,
            "deepstack.order.side": order.side,
            "deepstack.outcome": order.status,
            "deepstack.order.algorithm": order.algorithm,
            "deepstack.order.quantity": order.quantity,
            "deepstack.order.slices": order.slice_count,
            "deepstack.order.via": order.submitted_via,
            "deepstack.batch.orders": len(orders),
        }
        tracing.tell(
            Step(trace, "accept order", began, ended, span=root, attributes=outcome, link=link),
            Step(trace, "check and plan", began, planned, root, attributes=about),
            Step(trace, "store order", planned, ended, root, attributes=about),
        )


@harmless
def enqueued(slices: Iterable[QueuedSlice], *, began: int) -> None:
    """ETA tasks are published: of all these by one batch, since `began`."""
    ended = tracing.now()
    for slice_id, sequence, due_at, order_id, seed, _, symbol in slices:
        trace, root = _ids_of(order_id, seed)
        about: About = {
            "deepstack.order.id": order_id,
            "deepstack.symbol": symbol,
            "deepstack.slice.id": slice_id,
            "deepstack.slice.number": sequence,
            "deepstack.slice.due_at": due_at.isoformat(),
        }
        tracing.tell(
            Step(trace, "enqueue slice", began, ended, root, kind="PRODUCER", attributes=about)
        )


@harmless
def asked_market(part: Slice, *, began: int, quoted: bool) -> None:
    _tell(part, "ask market", began, {"deepstack.outcome": "QUOTE" if quoted else "NO_QUOTE"})


@harmless
def claimed(part: Slice, *, began: int, taken: int, intends: bool, together: int = 1) -> None:
    """`taken`: when a worker took its task, 0 where no task had brought it; without an intent its
    work is over. `together`: how many slices the transaction was for."""
    outcome = "INTENT_STORED" if intends else "NOT_SENT"
    about: About = {"deepstack.outcome": outcome, "deepstack.set.slices": together}
    _tell(part, "claim slice", began, about)
    if taken and not intends:
        _tell_work(part, taken, outcome)


@harmless
def asked_broker(part: Slice, step: str, outcome: str, *, began: int, failed: bool) -> None:
    about: About = {"deepstack.broker": part.broker, "deepstack.outcome": outcome}
    _tell(part, step, began, about, kind="CLIENT", failed=failed)


@harmless
def worked(part: Slice, outcome: str, *, taken: int) -> None:
    """What came of the slice is known; `taken` 0: no task had brought it."""
    if taken:
        _tell_work(part, taken, outcome)


@harmless
def recorded(events: Iterable[OrderEvent], *, began: int) -> None:
    """Events that are committed; their transaction wrote them at `began`."""
    for event in events:
        part, data = event.slice, event.data
        if event.kind == EventKind.ORDER_STATUS and data["to"] in ORDER_TERMINAL:
            _tell_end(event, began)
        elif part is not None and event.kind in (EventKind.FILL, EventKind.LATE_FILL):
            _tell(part, "book fill", began, _about_fill(event, part))
        elif part is not None and event.kind == EventKind.SLICE_DEFERRED:
            _tell_unsent(part, "put slice off", data["reason"], began)
        elif part is not None and event.kind == EventKind.SLICE_STATUS and data["to"] == _SKIPPED:
            _tell_unsent(part, "skip slice", data["reason"], began)


def _tell(
    part: Slice,
    name: str,
    began: int,
    about: About,
    *,
    kind: Kind = "INTERNAL",
    failed: bool = False,
) -> None:
    """A step of the work on a slice, which ends now."""
    trace, _ = _ids_of(part.order_id, part.order.seed)
    attributes = _about(part) | about
    tracing.tell(
        Step(
            trace,
            name,
            began,
            tracing.now(),
            _work_id(part),
            kind=kind,
            attributes=attributes,
            failed=failed,
        )
    )


def _tell_work(part: Slice, taken: int, outcome: str) -> None:
    trace, root = _ids_of(part.order_id, part.order.seed)
    due_at = part.due_at.isoformat()
    own = {"deepstack.outcome": outcome, "deepstack.slice.due_at": due_at}
    attributes = _about(part) | own
    tracing.tell(
        Step(
            trace,
            "work slice",
            taken,
            tracing.now(),
            root,
            _work_id(part),
            kind="CONSUMER",
            attributes=attributes,
        )
    )


def _tell_unsent(part: Slice, name: str, reason: str, began: int) -> None:
    """By its code alone: what follows it may be a person's words."""
    trace, root = _ids_of(part.order_id, part.order.seed)
    code = code_of(reason)
    about = _about(part) | {"deepstack.outcome": code if _CODE.fullmatch(code) else "OTHER"}
    tracing.tell(Step(trace, name, began, tracing.now(), root, attributes=about))


def _tell_end(event: OrderEvent, began: int) -> None:
    trace, root = _ids_of(event.order_id, event.order.seed)
    about = _about_order(event.order) | {
        "deepstack.outcome": event.data["to"],
        "deepstack.order.filled": event.order.filled_quantity,
    }
    tracing.tell(Step(trace, "end order", began, tracing.now(), root, attributes=about))


def _ids_of(order_id: int, seed: int) -> tuple[int, int]:
    """Of its trace, and of the span that all others belong to. The seed is random and never
    changes: the same number in another database is another trace."""
    return trace_id("order", order_id, seed), span_id("order", order_id, seed)


def _work_id(part: Slice) -> int:
    """One for each time at which the slice is due: put off, it is worked again."""
    return span_id("slice", part.pk, part.due_at.timestamp(), part.order.seed)


def _about(part: Slice) -> About:
    return {
        **_about_order(part.order),
        "deepstack.slice.id": part.pk,
        "deepstack.slice.number": part.sequence,
    }


def _about_order(order: Order) -> About:
    """Of each step as little as it can be found by: the first has the rest."""
    return {"deepstack.order.id": order.pk, "deepstack.symbol": order.symbol}


def _about_fill(event: OrderEvent, part: Slice) -> About:
    return {
        "deepstack.broker": part.broker,
        "deepstack.outcome": event.kind,
        "deepstack.fill.quantity": event.data["quantity"],
        "deepstack.fill.price": event.data["price"],
        "deepstack.fill.executed_at": event.data["executed_at"],
    }
