"""The pre-trade checks of an order and of each child, with limits and exposure read fresh."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from execution.context import Context
from execution.domain import risk_checks
from execution.domain.risk_checks import Bounds, Check, Denial, Exposure, Facts
from execution.market import trading_halts
from execution.market.base import Halt, Quote
from execution.models import Order, Slice, TradingState
from execution.orders import locks
from execution.risk import exposure, kill_switch, limits, position_breaks, send_snapshot
from execution.risk.checked_order import CheckedOrder
from execution.risk.limits import LimitSet
from execution.risk.marks import NO_MARKS
from execution.risk.send_snapshot import Snapshot

THROTTLE = "repeated-execution throttle"
State = TradingState.State


@dataclass(frozen=True, slots=True)
class Priced:
    """What is known of the price of a share: the limit if there is one, the quote, the decision
    price as long as no market was compared with it, and what the broker may pay at most where it
    works the order. `halt`: of the exchange, where no quote tells of it."""

    limit: Decimal | None
    quote: Quote | None
    decision: Decimal | None = None
    protective: Decimal | None = None
    halt: Halt | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """On an order that is not stored yet. `waits`: what its children will wait for.

    `settled`: its value, and its decision price, were compared with a market that is known; where
    they were not, its first child is.
    """

    denial: Denial | None
    waits: tuple[Denial, ...]
    settled: bool


def worth(checked: CheckedOrder, priced: Priced, bounds: Bounds) -> Decimal | None:
    """Of a share: see `checks.worth`."""
    return risk_checks.worth(_facts(checked, priced, (), Exposure()), bounds)


def verdict(
    checked: CheckedOrder,
    priced: Priced,
    context: Context,
    *,
    limit_set: LimitSet,
    states: Iterable[TradingState],
    breaks: Mapping[tuple[str, str], tuple[str, str]],
) -> Verdict:
    """Why an order that is not stored yet is refused or waits; changes nothing. `breaks`: as
    `position_breaks.all_open` gives them."""
    opposing = exposure.opposing(checked.order) if priced.limit is not None else None
    halted = kill_switch.applies(states, checked.order)
    facts, bounds = _known(
        checked,
        priced,
        context,
        limit_set=limit_set,
        halted=halted,
        opposing=opposing,
        broken=breaks.get((checked.order.account, checked.order.symbol)),
    )
    return Verdict(
        denial=risk_checks.first_fact(risk_checks.PARENT_CHECKS, facts, bounds),
        waits=risk_checks.unknowns(risk_checks.PARENT_CHECKS, facts, bounds),
        settled=risk_checks.market_is_known(facts, bounds),
    )


def read_ahead(parts: Sequence[tuple[Order, int]], context: Context, *, now: datetime) -> None:
    """Read together what `child_denial` asks of each of the slices, by id, of locked orders that
    `send_snapshot.claimable` reads; what is not read here is read when it is asked for."""
    orders = [order for order, _ in parts]
    limited = send_snapshot.read_ahead(parts)
    if limited:
        limits.read_ahead(orders)
    exposure.read_ahead(orders, context.bounds, context, now=now, loss_set=limited)


def child_denial(
    checked: CheckedOrder, priced: Priced, context: Context, seen: Snapshot
) -> Denial | None:
    """Why a child of a locked order may not leave. Where messages are bounded, the account's
    sends are counted one after the other until the transaction ends."""
    return _child_denial(risk_checks.CHILD_CHECKS, checked, priced, context, seen)


def resend_denial(
    checked: CheckedOrder, priced: Priced, context: Context, seen: Snapshot
) -> Denial | None:
    """Why an intent may not be sent once more."""
    return _child_denial(risk_checks.RESEND_CHECKS, checked, priced, context, seen)


def last_denial(part: Slice, context: Context, seen: Snapshot) -> Denial | None:
    """What may have changed since the intent was committed: a trading state, the exchange's halts,
    or an opposite order whose intent was committed at the same moment; here each of the two sees
    the other."""
    halted = kill_switch.in_force(part.order) if seen.halted else ()
    working = exposure.working_leaves(part.order, beside=part) if halted else 0
    checked = CheckedOrder(part.order, part.quantity or 0, NO_MARKS, context.now(), working=working)
    held, pending = exposure.position(checked, context) if halted else (None, None)
    broken = position_breaks.of(part.order, context) if seen.broken else None
    known = Exposure(position=held, pending=pending, opposing=seen.opposing, broken=broken)
    halt = trading_halts.stored().at(part.order.symbol, checked.now)
    priced = Priced(part.limit_price, None, halt=halt)
    return risk_checks.first_denial(
        risk_checks.LAST_CHECKS, _facts(checked, priced, halted, known), context.bounds
    )


def _child_denial(
    table: Iterable[Check], checked: CheckedOrder, priced: Priced, context: Context, seen: Snapshot
) -> Denial | None:
    limit_set = limits.in_force(checked.order) if seen.limited or seen.restricted else limits.EMPTY
    halted = kill_switch.in_force(checked.order) if seen.halted else ()
    opposing = seen.opposing if priced.limit is not None else None
    messages = _messages(
        checked.order, limit_set.bounds(checked.order, context.bounds).max_messages_per_minute
    )
    facts, bounds = _known(
        checked,
        priced,
        context,
        limit_set=limit_set,
        halted=halted,
        opposing=opposing,
        messages=messages,
        broken=position_breaks.of(checked.order, context) if seen.broken else None,
    )
    denial = risk_checks.first_denial(table, facts, bounds)
    if denial is not None:
        stop_runaway(checked.order, denial.code, str(denial), now=checked.now)
    return denial


def _messages(order: Order, most: int | None) -> int | None:
    """What the account has sent within the last minute, counted one send after the other; where
    that is far from the bound, only so many that it is surely less."""
    if most is None:
        return None
    at_most = exposure.messages_at_most()
    if at_most < most:
        return at_most
    locks.lock_messages(order.account)
    return exposure.recent_messages(order.account)


def _known(
    checked: CheckedOrder,
    priced: Priced,
    context: Context,
    *,
    limit_set: LimitSet,
    halted: tuple[tuple[str, str], ...],
    opposing: Decimal | None,
    messages: int | None = None,
    broken: tuple[str, str] | None = None,
) -> tuple[Facts, Bounds]:
    order = checked.order
    bounds = limit_set.bounds(order, context.bounds)
    facts = _facts(checked, priced, halted, Exposure())
    price = risk_checks.worth(facts, bounds)
    known = exposure.read(
        replace(checked, price=price),
        bounds,
        context,
        restricted=limit_set.restriction(order),
        broken=broken,
        reducing=bool(halted),
        opposing=opposing,
        messages=messages,
    )
    return replace(facts, price=price, exposure=known), bounds


def _facts(
    checked: CheckedOrder, priced: Priced, halted: tuple[tuple[str, str], ...], known: Exposure
) -> Facts:
    order, quote = checked.order, priced.quote
    halt = quote.halt if quote else priced.halt
    return Facts(
        now=checked.now,
        side_sign=order.side_sign,
        quantity=checked.quantity,
        parent_quantity=order.quantity if checked.whole is None else checked.whole,
        whole=checked.whole,
        price=priced.limit,
        decision_price=priced.decision,
        would_price=order.would_price if order.settled_at is None else None,
        protective_price=priced.protective,
        limit_price=priced.limit,
        average_daily_volume=order.average_daily_volume,
        bid=quote.bid if quote else None,
        ask=quote.ask if quote else None,
        quoted_at=quote.at if quote else None,
        halted_since=halt.since if halt else None,
        halt_reason=halt.reason if halt else "",
        halts=halted,
        exposure=known,
    )


def stop_runaway(order: Order, code: str, reason: str, *, now: datetime) -> None:
    """Halt what a denial shows to have run away, until a named person resumes it. The dispatch
    loop cancels what works in the scope, as for any halt."""
    if code != "REPEATED_EXECUTION":
        return
    locks.alone_only()
    scope, key = exposure.runaway_scope(order)
    if not TradingState.objects.filter(scope=scope, key=key, state=State.HALTED).exists():
        with transaction.atomic():
            row = kill_switch.set_state(
                scope=scope, key=key, state=State.HALTED, by=THROTTLE, reason=reason
            )
            numbers = kill_switch.reserve_events(row)
            # Not under the locks of the order that ran away.
            transaction.on_commit(
                lambda: kill_switch.record_on_orders(
                    row,
                    kill_switch.live_orders(row).values_list("pk", flat=True),
                    now=now,
                    numbers=numbers,
                ),
                robust=True,
            )
