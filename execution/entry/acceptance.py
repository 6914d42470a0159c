"""From a signal to a stored order: routed, checked, planned, written, enqueued."""

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from deepstack.observability.tracing import tracing
from execution import task_queue
from execution.context import Context
from execution.domain.field_aliases import written_in
from execution.domain.routing import Thresholds
from execution.domain.signal import Signal, as_written
from execution.entry import readiness, references
from execution.entry.drafting import _configured, _Drafting, _parse_all, _Rules
from execution.entry.store import ReferenceTaken, existing, store
from execution.models import Order
from execution.orders import order_trace
from execution.orders.draft import Draft
from execution.risk import pretrade

T = TypeVar("T")


def accept(
    values: Mapping[str, object], context: Context, *, thresholds: Thresholds | None = None
) -> Order:
    """Store one signal as an order, DENIED if the rules refuse it.

    The same client reference again gives the same order. Raises InvalidSignal, and then nothing
    is stored.
    """
    return accept_all([values], context, thresholds=thresholds)[0]


def accept_all(
    batch: Sequence[Mapping[str, object]],
    context: Context,
    *,
    thresholds: Thresholds | None = None,
    basket: str = "",
) -> list[Order]:
    """Store a batch in one transaction: all of it, or with InvalidSignal nothing.

    `basket` is for the signals that name none themselves, and no term of theirs: an order that
    exists already stays in its own. Errors are keyed by `index.field` when the batch has more than
    one signal.
    """
    return finished(accepting(batch, context, thresholds=thresholds, basket=basket))


def accepting(
    batch: Sequence[Mapping[str, object]],
    context: Context,
    *,
    thresholds: Thresholds | None = None,
    basket: str = "",
) -> Generator[int, None, list[Order]]:
    """`accept_all` step by step: yields how many orders are planned, and returns them when all are
    stored. Whoever leaves off before has stored nothing."""
    began = tracing.now()
    readiness.require(context.config)
    signals = _parse_all(batch, context.config.account)
    for _ in range(3):
        now = context.now()
        slots = yield from _slots(batch, signals, context, thresholds, now=now)
        drafts = list({id(slot): slot for slot in slots if isinstance(slot, Draft)}.values())
        for draft in drafts:
            draft.order.basket = draft.order.basket or basket
            code = draft.order.routing.get("denial", {}).get("code", "")
            pretrade.stop_runaway(draft.order, code, draft.order.status_reason, now=now)
        horizon = context.config.execution.scheduling.horizon_seconds
        planned = tracing.now()
        try:
            store(drafts, horizon_end=task_queue.horizon_end(now, horizon))
        except ReferenceTaken:
            continue  # another process stored it first: it is known at the next look
        order_trace.accepted([each.order for each in drafts], began=began, planned=planned)
        return [slot.order if isinstance(slot, Draft) else slot for slot in slots]
    raise RuntimeError("a client reference kept changing hands; send the signal again")


def finished(steps: Generator[int, None, T]) -> T:
    """What the steps return, without a word of how far they are."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def preview_all(batch: Sequence[Mapping[str, object]], context: Context) -> list[Order]:
    """The orders that `accept_all` would answer with now, by the same code; nothing is stored.
    Raises InvalidSignal."""
    signals = _parse_all(batch, context.config.account)
    slots = finished(_slots(batch, signals, context, None, now=context.now()))
    return [slot.order if isinstance(slot, Draft) else slot for slot in slots]


def _slots(
    batch: Sequence[Mapping[str, object]],
    signals: Sequence[Signal],
    context: Context,
    thresholds: Thresholds | None,
    *,
    now: datetime,
) -> Generator[int, None, list[Draft | Order]]:
    """Each signal as the order that it is already, or as a draft that knows those before it."""
    known = existing((signal.account, signal.client_reference) for signal in signals)
    drafting = _Drafting(context, now, thresholds or _configured(context), _Rules.read(context))

    def draft(index: int) -> Draft:
        with as_written(written_in(batch[index])):
            return drafting.draft(signals[index])

    return references.slots(signals, known, draft, context.own_settings)
