"""Why a working child is cancelled, and what held an order back that ends with shares left."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q

from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import exchange_time
from execution.domain.holds import Hold
from execution.domain.lifecycle import ORDER_TERMINAL, OrderStatus
from execution.models import Order, Slice
from execution.risk import kill_switch

TIME_OVER = "slice window ended"


def why_cancelled(order: Order, part: Slice, *, at: datetime) -> str | None:
    """Why a working child of a locked order is to be cancelled; None when it may go on."""
    if order.status == OrderStatus.CANCELLING or order.status in ORDER_TERMINAL:
        return f"the order is {order.status}"
    if at >= part.end_at:
        return _amended_since(order, part, at) or TIME_OVER
    if order.slices.filter(beyond_limit(), pk=part.pk).exists():
        return f"{Hold.AMENDED}: the order's limit is {order.limit_price} now"
    if order.status == OrderStatus.PAUSED:
        return f"{Hold.PAUSED}: {order.status_reason}"
    state = kill_switch.halting(order)
    if state is None:
        return None
    scope = f"{state.scope} {state.key}".strip()
    return f"{Hold.HALTED}: {scope}{_by(state.changed_by, state.reason)}"


def beyond_limit() -> Q:
    """Children that were sent at a price which their order, amended since, no longer allows."""
    worse = Q(order__side="BUY", limit_price__gt=F("order__limit_price")) | Q(
        order__side="SELL", limit_price__lt=F("order__limit_price")
    )
    return worse & Q(order__version__gt=1)


def _amended_since(order: Order, part: Slice, at: datetime) -> str | None:
    """That an order was amended to end later than its last slice; a residual knows its own end."""
    last = part.sequence == order.slice_count - 1
    ends_itself = order.parameters.get("residual", "LEAVE") != "LEAVE"
    if order.version == 1 or not last or ends_itself or at >= order.end_at:
        return None
    return f"{Hold.AMENDED}: the order works until {exchange_time(order.end_at)} now"


@dataclass(frozen=True, slots=True)
class Span:
    """An order was held from `start` on; `end` None: it still is. `why` in a person's words."""

    hold: Hold
    why: str
    start: datetime
    end: datetime | None = None

    def sentence(self, at: datetime) -> str:
        end = self.end or at
        return f"{self.hold} from {exchange_time(self.start)} to {exchange_time(end)}{self.why}"


def lasting(order: Order, *, at: datetime) -> Span | None:
    """What held an order back that ends at `at`: a halt or a pause that outlasts it or took half
    of its window."""
    end, half = order.end_at, (order.end_at - order.start_at) / 2
    for span in _spans(order):
        outlasts = span.end is None and span.start < end
        if outlasts or (span.end or at) - span.start >= half:
            return span
    return None


def _spans(order: Order) -> Iterator[Span]:
    """Halts of each scope and pauses, from the order's audit trail."""
    open_now: dict[str, Span] = {}
    events = order.events.filter(
        kind__in=(EventKind.TRADING_STATE, EventKind.ORDER_STATUS)
    ).order_by("pk")
    for kind, data, at in events.values_list("kind", "data", "at"):
        key = data["scope"] if kind == EventKind.TRADING_STATE else ""
        before = open_now.pop(key, None)
        after = _held(kind, data, before.start if before else at)
        if after is not None:
            open_now[key] = after
        elif before is not None:
            yield Span(before.hold, before.why, before.start, at)
    yield from open_now.values()


def _held(kind: str, data: dict[str, str], since: datetime) -> Span | None:
    if kind == EventKind.TRADING_STATE and data["state"] == Hold.HALTED:
        return Span(Hold.HALTED, f", {data['scope']}{_by(data['by'], data['reason'])}", since)
    if kind == EventKind.ORDER_STATUS and data["to"] == OrderStatus.PAUSED:
        return Span(Hold.PAUSED, f", {data['reason']}", since)
    return None


def _by(name: str, reason: str) -> str:
    return f" by {name}: {reason}"
