"""Kill switch and trading states: durable, read last before each send, strictest wins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import KombuError as QueueError
from redis.exceptions import RedisError

from deepstack.database.prepared_query import Prepared
from execution import task_queue
from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import ORDER_LIVE, SLICE_AT_BROKER, SliceStatus
from execution.domain.signal import InvalidSignal, parse
from execution.models import (
    Order,
    OrderEvent,
    Recovery,
    Slice,
    TradingState,
    TradingStateChange,
)
from execution.orders import caller
from execution.orders.journal import event, log_when_committed
from execution.orders.locks import nothing_in_flight
from execution.risk import scopes, second_person

log = structlog.get_logger(__name__)

Scope, State = TradingState.Scope, TradingState.State
STRICTNESS = (State.ACTIVE, State.REDUCING, State.HALTED)
PATIENCE_MS = 2_000
MOST_NAMED = 5  # states that a sentence names
NEXT_EVENTS = """
SELECT nextval(pg_get_serial_sequence('execution_orderevent', 'id')) FROM generate_series(1, %s)
"""


@dataclass(frozen=True, slots=True)
class Affected:
    """A live order in the scope. `unconfirmed`: its children that the broker may still execute."""

    order_id: int
    unconfirmed: int


@dataclass(frozen=True, slots=True)
class HaltReport:
    """`quiet`: every send that began before the change has ended, and none can begin.
    `orders`: the live orders in the scope; after a halt their children are being cancelled.
    `cancels_enqueued`: the workers got them at once; if not, the dispatch loop enqueues them."""

    state: TradingState
    quiet: bool
    orders: tuple[Affected, ...]
    cancels_enqueued: bool

    @property
    def unconfirmed(self) -> int:
        return sum(order.unconfirmed for order in self.orders)

    @property
    def warning(self) -> str:
        """What looks as if it had been done and was not: a key that is merely misspelt stops
        nothing, and after a resume other halts may go on holding the same orders."""
        unknown = unknown_key(self.state.scope, self.state.key)
        return "; ".join(filter(None, (unknown, self._still_held())))

    def _still_held(self) -> str:
        scope = self.state.scope
        if self.state.state != State.ACTIVE:
            return ""
        others = [row for row in all_in_force() if scope == Scope.SYSTEM or row.scope != scope]
        shown = [f"{row.scope} {row.key}".strip() + f" {row.state}" for row in others[:MOST_NAMED]]
        more = [f"{len(others) - MOST_NAMED} more"] if len(others) > MOST_NAMED else []
        return f"still in force: {', '.join(shown + more)}" if others else ""


def unknown_key(scope: str, key: str) -> str:
    """What makes a key look misspelt; empty for one that some order has had."""
    if scope == Scope.SYSTEM or Order.objects.filter(**{scope.lower(): key}).exists():
        return ""
    return f"no order has ever had the {scope.lower()} {key!r}: check the spelling"


def in_force(order: Order) -> tuple[tuple[str, str], ...]:
    """The states other than ACTIVE that apply to an order, as (scope and key, state)."""
    apply = scopes.applying_to(order)
    rows = TradingState.objects.filter(apply).exclude(state=State.ACTIVE)
    return tuple(
        (f"{scope} {key}".strip(), state)
        for scope, key, state in rows.values_list("scope", "key", "state")
    )


def halting(order: Order) -> TradingState | None:
    """One of the states that have an order's working children cancelled, the widest scope first."""
    apply = scopes.applying_to(order)
    rows = list(TradingState.objects.filter(apply, state=State.HALTED))
    return min(rows, key=lambda row: Scope.values.index(row.scope), default=None)


_RESTRICTING = Prepared[TradingState](lambda: TradingState.objects.exclude(state=State.ACTIVE))


def all_in_force() -> tuple[TradingState, ...]:
    return tuple(_RESTRICTING.all())


def applies(states: Iterable[TradingState], order: Order) -> tuple[tuple[str, str], ...]:
    """`in_force` for an order that is not stored yet, from states already read."""
    keys = scopes.keys(order)
    return tuple(
        (f"{row.scope} {row.key}".strip(), row.state)
        for row in states
        if (row.scope, row.key) in keys
    )


def change(
    *,
    scope: str,
    key: str,
    state: str,
    by: str,
    reason: str,
    now: datetime,
    not_before: datetime | None = None,
    approved: bool = False,
) -> HaltReport:
    """Store a trading state and carry it out; repeating it is harmless.

    The state is committed before anything else, so no send can begin after this returns. HALTED
    has the scope's working children cancelled while their orders live on, to continue when
    trading resumes. Not inside a transaction. Raises ValueError as `set_state` does, and
    SecondPersonNeeded where more is to trade than may now; `approved`: two have agreed already.
    """
    known = TradingState.objects.filter(scope=scope, key=key).first()
    seen = known.state if known else State.ACTIVE
    if not approved and _stricter(seen, than=state):
        second_person.require(_proposal(scope, key, state), by=by, reason=reason)
    with transaction.atomic(durable=True):
        row = set_state(
            scope=scope,
            key=key,
            state=state,
            by=by,
            reason=reason,
            not_before=not_before,
            seen=seen,
        )
        numbers = reserve_events(row)
    # What works is cancelled first: the sends under way may be slow, and what comes of them is
    # found by the dispatch loop.
    enqueued = row.state != State.HALTED or _enqueue_cancels(row)
    still = quiet() if row.state != State.ACTIVE else True
    affected = _affected(row)
    record_on_orders(row, [each.order_id for each in affected], now=now, numbers=numbers)
    return HaltReport(row, still, affected, enqueued)


def halt(
    *,
    scope: str,
    key: str,
    by: str,
    reason: str,
    now: datetime,
    not_before: datetime | None = None,
) -> HaltReport:
    """Stop all sends in a scope and cancel what works there; nobody lifts it before `not_before`,
    in real time."""
    return change(
        scope=scope,
        key=key,
        state=State.HALTED,
        by=by,
        reason=reason,
        now=now,
        not_before=not_before,
    )


def resume(
    *, scope: str, key: str, by: str, reason: str, now: datetime, approved: bool = False
) -> HaltReport:
    """Let a scope trade again; what its orders missed is caught up smoothly."""
    return change(
        scope=scope,
        key=key,
        state=State.ACTIVE,
        by=by,
        reason=reason,
        now=now,
        approved=approved,
    )


def _proposal(scope: str, key: str, state: str) -> str:
    """The subject that two persons agree on."""
    return f"trading state of {scope} {key}".strip() + f": {state}"


def _stricter(state: str, *, than: str) -> bool:
    """An unknown state, which `set_state` refuses, is as strict as any."""
    known = state in STRICTNESS and than in STRICTNESS
    return known and STRICTNESS.index(State(state)) > STRICTNESS.index(State(than))


def set_state(
    *,
    scope: str,
    key: str,
    state: str,
    by: str,
    reason: str,
    not_before: datetime | None = None,
    seen: str | None = None,
) -> TradingState:
    """Store a trading state and who changed it. ValueError: an unknown scope or state, an empty
    reason or name, a key that no order can have, trading in recovery mode, or a halt that is to
    last longer, or that is stricter than the state which the caller has `seen`."""
    for name, value, allowed in (("scope", scope, Scope.values), ("state", state, State.values)):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    if not TradingState.objects.filter(scope=scope, key=key).exists():
        check_key(scope, key)  # what was set once can be lifted, whatever a key may be today
    if scope == Scope.SYSTEM and state != State.HALTED:
        refuse_in_recovery()
    if not reason.strip() or not by.strip():
        raise ValueError("a reason and the name of the person are required")
    with transaction.atomic():
        TradingState.objects.get_or_create(
            scope=scope, key=key, defaults={"state": State.ACTIVE, "changed_by": by[:150]}
        )
        row = TradingState.objects.select_for_update().get(scope=scope, key=key)
        if seen and _stricter(row.state, than=seen) and _stricter(row.state, than=state):
            raise ValueError(
                f"{row} by {row.changed_by} in this moment: {row.reason}. Ask again to lift it"
            )
        row.not_before_real = _held_until(row, state, not_before)
        before, row.state = row.state, state
        row.reason, row.changed_by = reason[:300], by[:150]
        row.save()
        # Who has proposed to loosen it did not know of this.
        looser = [each for each in STRICTNESS if _stricter(state, than=each)]
        second_person.withdraw(_proposal(scope, key, each) for each in looser)
        TradingStateChange.objects.create(
            scope=scope,
            key=key,
            before=before,
            after=state,
            reason=row.reason,
            changed_by=row.changed_by,
            changed_via=caller.current().via,
        )
    return row


def _held_until(row: TradingState, state: str, wanted: datetime | None) -> datetime | None:
    """A halt keeps the later of two cool-downs; ValueError for what would lift it before."""
    own = row.not_before_real if row.state == State.HALTED else None
    if state == State.HALTED:
        return max((each for each in (own, wanted) if each is not None), default=None)
    if own is not None and own > timezone.now():
        raise ValueError(
            f"{row} by {row.changed_by}: {row.reason}. Its cool-down ends at {exchange_time(own)};"
            " it cannot be lifted before"
        )
    return None


def refuse_in_recovery() -> None:
    """ValueError while recovery mode holds the whole system."""
    for lasting in Recovery.objects.filter(released_at_real__isnull=True):
        raise ValueError(
            f"{lasting}. Compare with the broker and release it: manage.py recovery --release"
        )


def check_key(scope: str, key: str) -> None:
    """ValueError unless an order can have the key: one that is merely misspelt would halt nothing
    and look as if it had."""
    if (scope == Scope.SYSTEM) != (key == ""):
        raise ValueError(f"scope {scope} {'takes no' if key else 'needs a'} key, got {key!r}")
    if scope == Scope.SYSTEM:
        return
    field = scope.lower()
    try:
        parse({"symbol": "A", "side": "BUY", "quantity": 1, field: key})
    except InvalidSignal as error:
        if Order.objects.filter(**{field: key}).exists():
            return  # accepted by an older release
        raise ValueError(f"key of scope {scope} {error.errors[field]}") from None


def quiet() -> bool:
    """After a state was stored: wait until no send that could have missed it is under way."""
    return nothing_in_flight(PATIENCE_MS)


def to_cancel() -> Q:
    """The slices that work although their scope is halted."""
    halted = TradingState.objects.filter(state=State.HALTED)
    found = Q(pk__in=())
    for row in halted:
        found |= Q(status=SliceStatus.WORKING) & scopes.covered_by(row, "order__")
    return found


def waiting(*, lifted_since: datetime | None = None) -> Q:
    """The slices that were put off by a halt which still lasts: trying again changes nothing.
    With `lifted_since`, in real time, also those of a halt that was lifted since then."""
    lasting, found = Q(state=State.HALTED), Q(pk__in=())
    if lifted_since is not None:
        lasting |= Q(changed_at_real__gt=lifted_since)
    for row in TradingState.objects.filter(lasting):
        found |= Q(reason__startswith="TRADING_HALTED") & scopes.covered_by(row, "order__")
    return found


def _enqueue_cancels(row: TradingState) -> bool:
    working = Slice.objects.filter(scopes.covered_by(row, "order__"), status=SliceStatus.WORKING)
    try:
        task_queue.enqueue(task_queue.CLOSE, working.values_list("pk", flat=True))
    except (QueueError, RedisError, OSError) as error:
        log.error("halted, but the cancels wait for Redis", state=str(row), error=str(error))
        return False
    return True


def live_orders(row: TradingState) -> QuerySet[Order]:
    return Order.objects.filter(scopes.covered_by(row), status__in=ORDER_LIVE).order_by("pk")


def _affected(row: TradingState) -> tuple[Affected, ...]:
    at_broker = Slice.objects.filter(scopes.covered_by(row, "order__"), status__in=SLICE_AT_BROKER)
    unconfirmed = dict(at_broker.values_list("order").annotate(n=Count("pk")).order_by())
    return tuple(
        Affected(order_id, unconfirmed.get(order_id, 0))
        for order_id in live_orders(row).values_list("pk", flat=True)
    )


def reserve_events(row: TradingState) -> Sequence[int]:
    """In the transaction that stores a state: the number of an event for each live order in scope.

    The state is in force before its events are written, which would hold up a halt of thousands of
    orders. What it causes happens after its commit, so it has higher numbers than these.
    """
    with connection.cursor() as cursor:
        cursor.execute(NEXT_EVENTS, [live_orders(row).count()])
        return [number for (number,) in cursor.fetchall()]


def record_on_orders(
    row: TradingState, order_ids: Iterable[int], *, now: datetime, numbers: Sequence[int]
) -> None:
    """Record the state in each order's audit trail, under the reserved numbers; an order that was
    accepted since gets a number of its own."""
    facts = {
        "scope": f"{row.scope} {row.key}".strip(),
        "state": row.state,
        "by": row.changed_by,
        "via": caller.current().via,
        "reason": row.reason,
    }
    orders = Order.objects.filter(pk__in=list(order_ids)).order_by("pk")
    events = [event(order, EventKind.TRADING_STATE, facts, at=now) for order in orders]
    for each, number in zip(events, numbers, strict=False):
        each.pk = number
    with transaction.atomic():
        OrderEvent.objects.bulk_create(events)
        log_when_committed(events)
