"""Changing a live order: what has left stays as it is, what has not is planned anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from execution.access import desks
from execution.booking.completion import drop_unsent, finish_if_done
from execution.context import Context
from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import (
    ORDER_SENDING,
    SLICE_AT_BROKER,
    SLICE_CLAIMABLE,
    OrderStatus,
    SliceStatus,
)
from execution.domain.signal import InvalidSignal, Signal, parse
from execution.entry import drafting, readiness
from execution.entry.order_controls import NotAllowed, enqueue_cancels
from execution.models import Order, Slice
from execution.orders import caller
from execution.orders.draft import Draft
from execution.orders.journal import record_event
from execution.orders.locks import locked
from execution.planning import order_parameters, price_rounding, residual
from execution.risk import holds, value_check
from execution.risk.exposure import working_leaves

TRIES = 3


class StaleVersion(NotAllowed):
    """The order was changed since the caller read it; nothing was changed now."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an amendment may say; None leaves a value as it is."""

    quantity: int | None = None
    end_at: datetime | None = None
    limit_price: Decimal | None = None

    @classmethod
    def read(cls, values: Mapping[str, object], order: Order) -> "Change":
        """Raises InvalidSignal naming every wrong field."""
        allowed = {"quantity", "end_at", "limit_price"}
        can = ", ".join(sorted(allowed))
        unknown = dict.fromkeys(values.keys() - allowed, f"cannot be amended; {can} can")
        if unknown:
            raise InvalidSignal(unknown)
        whole: dict[str, object] = {
            "symbol": order.symbol,
            "side": order.side,
            "quantity": order.quantity,
        }
        given = {name: value for name, value in values.items() if value is not None}
        if not given:
            raise InvalidSignal(dict.fromkeys(sorted(allowed), "one of them is required"))
        signal: Signal = parse(whole | given)
        return cls(
            quantity=signal.quantity if "quantity" in given else None,
            end_at=signal.end_at,
            limit_price=signal.limit_price,
        )


@dataclass(frozen=True, slots=True)
class Outline:
    """What is still to be sent, planned in one way: shares, slices and when the first and last are
    due; the expected cost in bps of their value, + is a cost, None where it is not known."""

    shares: int = 0
    slices: int = 0
    first_due: datetime | None = None
    last_due: datetime | None = None
    cost_bps: float | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What an amendment would change; `order` is as it is now, `working` in shares. `routing`: what
    the new plan rests on, as an order keeps it; empty where nothing is left to plan."""

    order: Order
    change: Change
    working: int
    before: Outline
    after: Outline
    routing: Mapping[str, Any]


def effect(
    order_id: int, values: Mapping[str, object], *, version: int, context: Context
) -> Effect:
    """What `amend` would do now, by the same rules; nothing is stored. Raises what it raises."""
    order = _own(order_id)
    change = Change.read(values, order)
    _check(order, change, version, now=context.now())
    filled, working = _position(order)
    done = drafting.Amended(order.pk, filled, working, order.start_at)
    draft = _plan_rest(order, change, done, context)
    unsent = order.slices.filter(status__in=SLICE_CLAIMABLE).order_by("due_at", "sequence")
    before = replace(_outline(list(unsent)), cost_bps=_cost_now(order, done, context))
    if draft is None:
        return Effect(order, change, working, before, Outline(), {})
    parts = _slices_now(order, draft, filled + working)
    cost = draft.order.estimated_slippage_bps
    after = replace(_outline(parts), shares=draft.order.quantity, cost_bps=cost)
    return Effect(order, change, working, before, after, draft.order.routing)


def _outline(parts: Sequence[Slice]) -> Outline:
    if not parts:
        return Outline()
    shares = sum(part.planned_quantity for part in parts)
    return Outline(shares, len(parts), parts[0].due_at, parts[-1].due_at)


def _cost_now(order: Order, done: drafting.Amended, context: Context) -> float | None:
    """Of the rest on the order's present terms; None where they allow no plan any more."""
    try:
        draft = _plan_rest(order, Change(), done, context)
    except (InvalidSignal, NotAllowed):
        return None
    return draft.order.estimated_slippage_bps if draft else None


def amend(
    order_id: int,
    values: Mapping[str, object],
    *,
    version: int,
    by: str,
    context: Context,
    reason: str = "",
) -> Order:
    """Change quantity, end or limit of a live order that still has the version the caller read.

    The new quantity is at least what is filled and working, the new end lies ahead. Asking for more
    shares or a worse price is checked like a new order; asking for less is possible in a halt, too.
    The same
    amendment again, with the version it was made for, changes nothing. Raises InvalidSignal,
    NotAllowed, StaleVersion, ClockFarOff or Order.DoesNotExist; nothing is changed then.
    """
    readiness.require_right_clock()
    for _ in range(TRIES):
        order = _own(order_id)
        change = Change.read(values, order)
        if _already(order, change, version):
            return order
        _check(order, change, version, now=context.now())
        seen, planned = _position(order), order.slice_count
        # Planned before the lock: a source of quotes may be a network away.
        done = drafting.Amended(
            order.pk, *seen, began=order.start_at, asks_no_more=_asks_no_more(order, change)
        )
        plan = _plan_rest(order, change, done, context)
        with locked(order_id) as order:
            if order.version == version and order.status in ORDER_SENDING | {OrderStatus.PAUSED}:
                if (_position(order), order.slice_count) != (seen, planned):
                    continue  # a fill, a send or a plan came in between: plan again
                _apply(order, change, plan, sum(seen), by=by, at=context.now(), reason=reason)
                return order
    raise NotAllowed(f"order {order_id} kept changing; read it again and amend it then")


def _own(order_id: int) -> Order:
    order = Order.objects.get(pk=order_id)
    desks.require_order(order)
    return order


def _position(order: Order) -> tuple[int, int]:
    """F and W."""
    return order.filled_quantity, working_leaves(order)


def _already(order: Order, change: Change, version: int) -> bool:
    """Whether the one amendment since is this one: it says the same, and nothing besides."""
    made = {
        "quantity": order.quantity,
        "end_at": order.end_at,
        "limit_price": order.limit_price,
    }
    asked = {name: getattr(change, name) for name in made if getattr(change, name) is not None}
    if order.version != version + 1 or any(made[name] != asked[name] for name in asked):
        return False
    event = order.events.filter(kind=EventKind.ORDER_AMENDED).order_by("-pk").first()
    if event is None:
        return True  # in the archive by now
    before, after = event.data["before"], event.data
    return all(before.get(name, after[name]) == after[name] for name in made.keys() - asked.keys())


def _check(order: Order, change: Change, version: int, *, now: datetime) -> None:
    if order.status not in ORDER_SENDING | {OrderStatus.PAUSED}:
        raise NotAllowed(f"order {order.pk} is {order.status}; only a live one can be amended")
    if native := order_parameters.native(order):
        raise NotAllowed(
            f"order {order.pk} is worked by the broker's own {native}, which goes by what it was "
            "given at first: cancel the order and send another"
        )
    if order.version != version:
        raise StaleVersion(
            f"order {order.pk} has version {order.version}, not {version}: read it again"
        )
    least = sum(_position(order))
    if change.quantity is not None and change.quantity < least:
        raise InvalidSignal(
            {
                "quantity": f"must be at least {least}, which is filled or working, "
                f"got {change.quantity}"
            }
        )
    if change.end_at is not None and change.end_at <= now:
        problem = f"must lie ahead of {exchange_time(now)}, got {exchange_time(change.end_at)}"
        raise InvalidSignal({"end_at": problem})


def _asks_no_more(order: Order, change: Change) -> bool:
    """Whether the shares stay or become fewer, and the limit stays or becomes more patient."""
    new, old = change.limit_price, order.limit_price
    patient = new is None or (old is not None and order.side_sign * (new - old) <= 0)
    return patient and (change.quantity or 0) <= order.quantity


def _plan_rest(
    order: Order, change: Change, done: drafting.Amended, context: Context
) -> Draft | None:
    """What is neither filled nor working, planned from now, or from the order's start if that lies
    ahead, and checked like a new order; None for nothing. Where all of it works, the new limit or
    end is checked for what works: its shares may come back. Sizes that were asked for give way to a
    small rest."""
    rest = (change.quantity or order.quantity) - done.filled - done.working
    if rest > 0:
        return _planned(order, change, rest, done, context)
    if done.working and (change.limit_price is not None or change.end_at is not None):
        _planned(order, change, done.working, replace(done, working=0), context)
    return None


def _planned(
    order: Order, change: Change, rest: int, done: drafting.Amended, context: Context
) -> Draft:
    """Raises NotAllowed where so many shares would be denied."""
    limit = change.limit_price or order.limit_price
    values: dict[str, object] = {
        "symbol": order.symbol,
        "side": order.side,
        "quantity": rest,
        "urgency": order.urgency,
        "algorithm": order.algorithm,
        "account": order.account,
        "strategy": order.strategy,
        "average_daily_volume": order.average_daily_volume,
        "start_at": order.start_at if order.start_at > context.now() else None,
        "end_at": change.end_at or order.end_at,
        "limit_price": limit,
        **order.parameters,
    }
    for name in order_parameters.foreign(order):  # kept by an earlier release
        del values[name]
    for name in ("slices", "min_slice"):
        if name in order.parameters:
            values[name] = min(order.parameters[name], rest)
    own = replace(context.of(order), own_settings=order.own_settings)
    draft = drafting.draft(values, own, amending=done)
    if draft.order.status == OrderStatus.DENIED:
        raise NotAllowed(f"the amended order would be denied: {draft.order.status_reason}")
    return draft


def _slices_now(order: Order, draft: Draft | None, committed: int) -> list[Slice]:
    """None where the residual is being worked: it is planned once no child works any more."""
    if draft is None or residual.amended(order, draft.order, done=committed):
        return []
    return draft.slices


def _end_with_order(order: Order) -> None:
    """No child works longer than its order."""
    order.slices.filter(status__in=SLICE_AT_BROKER, end_at__gt=order.end_at).update(
        end_at=order.end_at
    )


def _apply(
    order: Order,
    change: Change,
    draft: Draft | None,
    committed: int,
    *,
    by: str,
    at: datetime,
    reason: str,
) -> None:
    before = {
        "quantity": order.quantity,
        "end_at": order.end_at.isoformat(),
        "limit_price": order.limit_price,
    }
    first = order.slice_count
    plan = _slices_now(order, draft, committed)
    drop_unsent(order, SliceStatus.CANCELLED, at=at, reason="the order was amended")
    for part in plan:
        part.order = order
        part.sequence += first
        part.cumulative_quantity += committed
    Slice.objects.bulk_create(plan, batch_size=2_000)
    order.quantity = change.quantity or order.quantity
    order.end_at = change.end_at or order.end_at
    _end_with_order(order)
    order.limit_price = change.limit_price or order.limit_price
    order.slice_count = first + len(plan)
    order.version += 1
    price_rounding.amended(order, draft)
    value_check.amended(order, draft)
    order.save(
        update_fields=[
            "quantity",
            "end_at",
            "limit_price",
            "slice_count",
            "version",
            "routing",
            "settled_at",
        ]
    )
    record_event(
        order,
        EventKind.ORDER_AMENDED,
        {
            "by": by,
            "via": caller.current().via,
            "reason": reason,
            "version": order.version,
            "before": before,
            "quantity": order.quantity,
            "end_at": order.end_at.isoformat(),
            "limit_price": order.limit_price,
            **price_rounding.as_json(order),
            "first_new_slice": first,
            "slices": order.slice_count,
        },
        at=at,
    )
    finish_if_done(order, at=at)
    enqueue_cancels(order, holds.beyond_limit())
