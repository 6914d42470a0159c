"""Whether the stored rows of one order agree: its totals with its fills, F + W with Q, and every
status and fill with what its events alone say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import (
    ORDER_TERMINAL,
    ORDER_TRANSITIONS,
    SLICE_AT_BROKER,
    SLICE_CLAIMABLE,
    SLICE_TRANSITIONS,
    OrderStatus,
    SliceStatus,
)

K = EventKind
# After these F + W may pass Q, rightly: a broker that executes what it had ended, or takes back
# what others have since replaced.
_MAY_PASS = frozenset({K.LATE_FILL, K.FILL_CORRECTED})
_PLACES = Decimal("0.000001")  # of prices and commissions in rows
# The trail records a slice as PLANNED; it does not record that its task was published.
_UNRECORDED = {SliceStatus.QUEUED: SliceStatus.PLANNED}


@dataclass(frozen=True, slots=True)
class Executed:
    """One fill of one slice, in shares and dollars; `commission` None: not known yet."""

    quantity: int
    price: Decimal
    commission: Decimal | None


@dataclass(frozen=True, slots=True)
class SliceRow:
    status: str
    quantity: int
    filled: int


@dataclass(frozen=True, slots=True)
class EventRow:
    id: int
    kind: str
    data: Mapping[str, Any]


FillKey = tuple[int, str]  # the slice's sequence, the execution id


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order as stored: `slices` by sequence, `events` as they were written, oldest first."""

    quantity: int
    status: str
    filled: int
    notional: Decimal
    commission: Decimal
    slices: Mapping[int, SliceRow]
    fills: Mapping[FillKey, Executed]
    events: Sequence[EventRow]


@dataclass(slots=True)
class _Replayed:
    """What the events alone say, and the first of them that cannot follow those before it."""

    status: str = ""
    slices: dict[int, str] = field(default_factory=dict)
    fills: dict[FillKey, Executed] = field(default_factory=dict)
    broken: str = ""


def disagreements(record: OrderRecord) -> Iterator[str]:
    """A sentence for each figure or status that another row contradicts; none where all agree."""
    yield from _totals(record)
    yield from _bounds(record)
    replayed = _replay(record.events)
    if replayed.broken:
        yield replayed.broken
    else:
        yield from _trail(record, replayed)


def _totals(record: OrderRecord) -> Iterator[str]:
    fills = record.fills.values()
    yield from _differ("filled quantity", record.filled, sum(each.quantity for each in fills))
    notional = sum((each.quantity * each.price for each in fills), Decimal(0))
    yield from _differ("filled notional", record.notional, notional)
    fees = sum((each.commission or Decimal(0) for each in fills), Decimal(0))
    yield from _differ("commission", record.commission, fees)
    by_slice = dict.fromkeys(record.slices, 0)
    for (sequence, _), each in record.fills.items():
        by_slice[sequence] = by_slice.get(sequence, 0) + each.quantity
    for sequence, shares in sorted(by_slice.items()):
        if sequence not in record.slices:
            yield f"a fill belongs to slice {sequence}, which the order does not have"
        else:
            stored = record.slices[sequence].filled
            yield from _differ(f"slice {sequence}: filled quantity", stored, shares)


def _differ(name: str, stored: int | Decimal, fills: int | Decimal) -> Iterator[str]:
    if stored != fills:
        yield f"{name}: stored {_plain(stored)}, the fills add up to {_plain(fills)}"


def _plain(figure: int | Decimal) -> str:
    return f"{figure:,}" if isinstance(figure, int) else f"{figure.normalize():,f}"


def _bounds(record: OrderRecord) -> Iterator[str]:
    held = sorted(n for n, each in record.slices.items() if each.status in SLICE_CLAIMABLE)
    if record.status in ORDER_TERMINAL and held:
        yield f"the order is {record.status}, but slice {held[0]} is still to be sent"
    if record.status == OrderStatus.OVERFILLED or _MAY_PASS & {e.kind for e in record.events}:
        return
    filled = sum(each.quantity for each in record.fills.values())
    at_broker = (s for s in record.slices.values() if s.status in SLICE_AT_BROKER)
    working = sum(max(each.quantity - each.filled, 0) for each in at_broker)
    if filled + working > record.quantity:
        yield (
            f"executed {filled:,} and working {working:,} are more than the order's"
            f" {record.quantity:,}"
        )


def _trail(record: OrderRecord, replayed: _Replayed) -> Iterator[str]:
    if replayed.status != record.status:
        yield f"status: stored {record.status}, the events say {replayed.status or 'nothing'}"
    for sequence in sorted({*record.slices, *replayed.slices}):
        row = record.slices.get(sequence)
        stored = "no such slice" if row is None else _as_recorded(row.status)
        said = replayed.slices.get(sequence, "no such slice")
        if stored != said:
            yield f"slice {sequence}: stored {stored}, the events say {said}"
    for key in sorted({*record.fills, *replayed.fills}):
        if record.fills.get(key) != replayed.fills.get(key):
            yield (
                f"slice {key[0]}, execution {key[1]}: stored {_shown(record.fills.get(key))},"
                f" the events say {_shown(replayed.fills.get(key))}"
            )


def _as_recorded(status: str) -> str:
    return _UNRECORDED.get(SliceStatus(status), status)


def _shown(fill: Executed | None) -> str:
    if fill is None:
        return "no fill"
    fee = "not known" if fill.commission is None else _plain(fill.commission)
    return f"{fill.quantity:,} at {_plain(fill.price)}, commission {fee}"


def _replay(events: Sequence[EventRow]) -> _Replayed:
    replayed = _Replayed()
    for each in events:
        reader = _READERS.get(each.kind)
        if reader is None:
            continue
        try:
            problem = reader(replayed, each.data)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            problem = "its data cannot be read"
        if problem:
            replayed.broken = f"event {each.id} {each.kind}: {problem}"
            break
    return replayed


def _accepted(replayed: _Replayed, data: Mapping[str, Any]) -> str:
    replayed.status = OrderStatus.ACCEPTED
    replayed.slices = dict.fromkeys(range(data["slices"]), SliceStatus.PLANNED)
    return ""


def _denied(replayed: _Replayed, data: Mapping[str, Any]) -> str:
    replayed.status = OrderStatus.DENIED
    return ""


def _order_moved(replayed: _Replayed, data: Mapping[str, Any]) -> str:
    before, after = data["from"], data["to"]
    if before != replayed.status:
        return f"goes on from {before}, the events before it say {replayed.status or 'nothing'}"
    replayed.status = after
    allowed = OrderStatus(after) in ORDER_TRANSITIONS[OrderStatus(before)]
    return "" if allowed else f"{before} -> {after} is not allowed"


def _slice_moved(replayed: _Replayed, data: Mapping[str, Any]) -> str:
    before, after = SliceStatus(data["from"]), SliceStatus(data["to"])
    replayed.slices[data["slice"]] = _as_recorded(after)
    return "" if after in SLICE_TRANSITIONS[before] else f"{before} -> {after} is not allowed"


def _slices_moved(replayed: _Replayed, data: Mapping[str, Any]) -> str:
    replayed.slices |= dict.fromkeys(data["slices"], _as_recorded(data["to"]))
    return ""


def _sending(replayed: _Replayed, data: Mapping[str, Any]) -> str:
    replayed.slices[data["slice"]] = SliceStatus.SENDING
    return ""


def _added(replayed: _Replayed, data: Mapping[str, Any]) -> str:
    new = range(data["first_new_slice"], data["slices"])
    replayed.slices |= dict.fromkeys(new, SliceStatus.PLANNED)
    return ""


def _executed(replayed: _Replayed, data: Mapping[str, Any]) -> str:
    key = (data["slice"], data["execution_id"])
    known = replayed.fills.get(key)
    fee = None if data["commission"] is None else _as_stored(data["commission"])
    if fee is None and known is not None:
        fee = known.commission
    replayed.fills[key] = Executed(data["quantity"], _as_stored(data["price"]), fee)
    return ""


def _as_stored(text: str) -> Decimal:
    """Events keep what the broker said; a column rounds it, as PostgreSQL does."""
    return Decimal(text).quantize(_PLACES, ROUND_HALF_UP)


_READERS: Mapping[str, Callable[[_Replayed, Mapping[str, Any]], str]] = {
    K.ORDER_ACCEPTED: _accepted,
    K.ORDER_DENIED: _denied,
    K.ORDER_STATUS: _order_moved,
    K.SLICE_STATUS: _slice_moved,
    K.SLICES_CHANGED: _slices_moved,
    K.SLICE_SENDING: _sending,
    K.ORDER_AMENDED: _added,
    K.RESIDUAL_PLANNED: _added,
    K.SHARES_RETURNED: _added,
    K.FILL: _executed,
    K.LATE_FILL: _executed,
    K.FILL_CORRECTED: _executed,
    K.COMMISSION: _executed,
}
