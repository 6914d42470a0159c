"""The verdict on one fault: the broker's log against the database against the plan."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from django.db.models import F, OuterRef, Subquery

from execution.domain.lifecycle import ORDER_TERMINAL, SLICE_TERMINAL, OrderStatus, SliceStatus
from execution.models import Fill, Order, OrderEvent, Slice
from tests.chaos.venue import Entry

LATE = 1.0  # seconds; what leaves later than this had not recovered yet
FEWEST_SENT = 0.2  # of the slices
RESIDUAL_MAY_END_IN = (OrderStatus.EXPIRED, OrderStatus.CANCELLED, OrderStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class Planned:
    """One slice as it was planned."""

    slice_id: int
    order_id: int
    client_order_id: str
    due: float  # wall, seconds


@dataclass(frozen=True, slots=True)
class Blow:
    """When the fault struck and when it was over, and between what moments nothing may have been
    sent at all (wall, seconds)."""

    struck: float
    healed: float
    silent_after: float
    silent_until: float


@dataclass(slots=True)
class Account:
    """One order at the broker, from its log."""

    quantity: int = 0
    accepted: int = 0  # times
    first_attempt: float = 0.0
    closed: bool = False
    executions: dict[str, tuple[int, int]] = field(default_factory=dict)  # revision, quantity

    @property
    def filled(self) -> int:
        return sum(quantity for _, quantity in self.executions.values())

    @property
    def exposure(self) -> int:
        """Shares executed or still executable."""
        return self.quantity if self.accepted and not self.closed else self.filled


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `clean` names what must be zero. Where hardly anything was sent,
    that would prove nothing."""

    fault: str
    parents: int
    slices: int
    sent: int
    skipped: int
    lost: int
    twice: int
    overfilled: int
    unaccounted: int
    # Requests that reached the broker after a halt or a cancel was in force, or beyond its budget.
    forbidden: int
    residual: int
    again: int  # attempts that the broker refused as known
    worst: float  # seconds late
    p99: float  # seconds after due, or after the end of the fault where that was later
    recovery: float  # seconds from the end of the fault to the last late slice

    @property
    def clean(self) -> bool:
        return self.proves and not self.wrong

    @property
    def proves(self) -> bool:
        """Whether so much was sent that zeros mean something."""
        return self.sent >= FEWEST_SENT * self.slices

    @property
    def wrong(self) -> bool:
        return any((self.lost, self.twice, self.overfilled, self.unaccounted, self.forbidden))

    @classmethod
    def names(cls) -> list[str]:
        return [each.name for each in fields(cls)]


def judge(
    fault: str, plan: Sequence[Planned], entries: Sequence[Entry], excess: int, blow: Blow
) -> Row:
    """`excess`: messages beyond the broker's budget."""
    book = accounts(entries)
    rows = Slice.objects.select_related("order").in_bulk([each.slice_id for each in plan])
    orders = Order.objects.in_bulk({each.order_id for each in plan})
    lateness = _lateness(plan, book, blow)
    return Row(
        fault=fault,
        parents=len(orders),
        slices=len(plan),
        sent=sum(1 for account in book.values() if account.accepted),
        skipped=sum(row.status == SliceStatus.SKIPPED for row in rows.values()),
        lost=_lost(plan, rows, book),
        twice=_twice(plan, book),
        overfilled=_overfilled(plan, entries, orders),
        unaccounted=_unaccounted(plan, book, orders),
        forbidden=excess
        + sum(
            entry["kind"] == "attempt" and blow.silent_after < entry["t"] / 1e9 < blow.silent_until
            for entry in entries
        ),
        residual=sum(max(row.quantity - row.filled_quantity, 0) for row in orders.values()),
        again=sum(entry["kind"] == "duplicate" for entry in entries),
        worst=max((late for late, _, _ in lateness), default=0.0),
        p99=percentile([after for _, after, _ in lateness], 0.99),
        recovery=max((ago for late, _, ago in lateness if late > LATE), default=0.0),
    )


def percentile(values: Iterable[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(int(len(ranked) * share), len(ranked) - 1)] if ranked else 0.0


def accounts(entries: Iterable[Mapping[str, Any]]) -> dict[str, Account]:
    book: dict[str, Account] = defaultdict(Account)
    for entry in entries:
        _enter(book[entry["client_order_id"]], entry)
    return dict(book)


def _enter(account: Account, entry: Mapping[str, Any]) -> None:
    match entry["kind"]:
        case "attempt":
            account.first_attempt = account.first_attempt or entry["t"] / 1e9
        case "accept":
            account.accepted += 1
            account.quantity = entry["quantity"]
        case "execution":
            account.executions[entry["execution_id"]] = (entry["revision"], entry["quantity"])
            # A correction that takes shares back does not make the order work again.
            account.closed |= account.filled >= account.quantity
        case "cancelled":
            account.closed = True


def _lateness(
    plan: Iterable[Planned], book: Mapping[str, Account], blow: Blow
) -> list[tuple[float, float, float]]:
    """For each slice that left after the blow: seconds late, seconds after it could have left,
    and how long after the end of the fault it left."""
    found = []
    for each in plan:
        account = book.get(each.client_order_id)
        if account is not None and account.first_attempt >= blow.struck:
            left = account.first_attempt
            could = max(each.due, blow.healed) if each.due >= blow.struck - LATE else each.due
            found.append((left - each.due, left - could, left - blow.healed))
    return found


def _lost(plan: Iterable[Planned], rows: Mapping[int, Slice], book: Mapping[str, Account]) -> int:
    """Slices that have no end, that ended unsent without a reason, or that outlived the
    cancellation of their order."""
    lost, outlived = 0, _outlived()
    for each in plan:
        row = rows.get(each.slice_id)
        ended = row is not None and row.status in SLICE_TERMINAL
        told = row is not None and (each.client_order_id in book or row.reason)
        lost += not (row and ended and told and row.pk not in outlived)
    return lost


def _outlived() -> set[int]:
    """Slices that came to an end after their order had been called CANCELLED. An order's audit
    trail is written under its lock: the keys of its events are in the order of what happened."""
    said = OrderEvent.objects.filter(
        order=OuterRef("order"), kind="ORDER_STATUS", data__to=OrderStatus.CANCELLED
    )
    ends = OrderEvent.objects.filter(kind="SLICE_STATUS", data__to__in=SLICE_TERMINAL)
    first = ends.exclude(data__from__in=SLICE_TERMINAL).annotate(
        said=Subquery(said.values("pk")[:1])
    )
    return set(first.filter(pk__gt=F("said")).values_list("slice", flat=True))


def _twice(plan: Iterable[Planned], book: Mapping[str, Account]) -> int:
    """Orders that the broker accepted twice, or that belong to no slice."""
    ours = {each.client_order_id for each in plan}
    repeated = sum(max(account.accepted - 1, 0) for account in book.values())
    return repeated + len(book.keys() - ours)


def _overfilled(
    plan: Iterable[Planned], entries: Iterable[Mapping[str, Any]], orders: Mapping[int, Order]
) -> int:
    """Shares by which executed and executable ever exceeded what the parents asked for."""
    parent_of = {each.client_order_id: each.order_id for each in plan}
    book: dict[str, Account] = defaultdict(Account)
    exposure: Counter[int] = Counter()
    excess: Counter[int] = Counter()
    for entry in entries:
        parent = parent_of.get(entry["client_order_id"])
        if parent is None:
            continue
        account = book[entry["client_order_id"]]
        exposure[parent] -= account.exposure
        _enter(account, entry)
        exposure[parent] += account.exposure
        excess[parent] = max(excess[parent], exposure[parent] - orders[parent].quantity)
    return sum(excess.values())


def _unaccounted(
    plan: Iterable[Planned], book: Mapping[str, Account], orders: Mapping[int, Order]
) -> int:
    """Shares on which the broker and the database differ, those that the broker still works for
    an order that has ended, and residuals nobody explains."""
    executed: Counter[int] = Counter()
    working: Counter[int] = Counter()
    for each in plan:
        account = book.get(each.client_order_id, Account())
        executed[each.order_id] += account.filled
        working[each.order_id] += account.exposure - account.filled
    booked: Counter[int] = Counter()
    for order_id, quantity in Fill.objects.values_list("order_id", "quantity"):
        booked[order_id] += quantity
    return sum(
        abs(executed[order_id] - booked[order_id])
        + abs(order.filled_quantity - booked[order_id])
        + working[order_id]
        + _unexplained(order)
        for order_id, order in orders.items()
    )


def _unexplained(order: Order) -> int:
    residual = order.quantity - order.filled_quantity
    if order.status not in ORDER_TERMINAL:
        return max(residual, 1)
    explained = order.status in RESIDUAL_MAY_END_IN and bool(order.status_reason)
    return 0 if residual == 0 or explained else abs(residual)


def planned(orders: Sequence[Order]) -> list[Planned]:
    """The plan of orders that were just stored."""
    rows = Slice.objects.filter(order__in=orders).order_by("due_at")
    return [
        Planned(pk, order_id, client_order_id, _seconds(due_at))
        for pk, order_id, client_order_id, due_at in rows.values_list(
            "pk", "order_id", "client_order_id", "due_at"
        )
    ]


def added(plan: Sequence[Planned], orders: Sequence[Order]) -> list[Planned]:
    """The slices that were planned after the orders were stored: for shares that came back."""
    known = {each.slice_id for each in plan}
    return [each for each in planned(orders) if each.slice_id not in known]


def _seconds(moment: datetime) -> float:
    return moment.timestamp()
