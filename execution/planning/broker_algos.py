"""Orders that the broker works by an algorithm of its own: refused, or handed to it once."""

from decimal import Decimal

from deepstack.config import Execution
from execution.context import Context
from execution.domain.algorithms.broker_native import (
    LEAST_SHARE,
    NATIVES,
    Native,
    instructions,
    keeps,
)
from execution.domain.limit_prices import protective_limit
from execution.domain.risk_checks import Denial
from execution.domain.signal import InvalidSignal
from execution.market import clock
from execution.models import Order, Slice
from execution.planning import order_parameters, participation

KEY = "native"


def refusal(order: Order, context: Context) -> Denial | None:
    """Why the broker's own algorithm cannot work a new order; None also where none is asked for."""
    name = order_parameters.native(order)
    if name is None:
        return None
    if name not in context.broker.natives:
        return Denial("NATIVE_UNAVAILABLE", {"native": name, "broker": context.broker.name})
    cap = _cap(order, name, context.config.execution)
    if cap is not None and not keeps(name, cap):
        numbers = {"native": name, "cap": f"{cap:f}", "least": f"{LEAST_SHARE}"}
        return Denial("NATIVE_CAP", numbers)
    return None


def worst_price(order: Order, price: Decimal | None, context: Context) -> Decimal | None:
    """What a share may cost at most, where the broker works the order: its child is checked at its
    limit, and would be refused after its parent was taken. None where we work it, and without a
    price."""
    if order_parameters.native(order) is None or price is None:
        return None
    return protective_limit(
        side_sign=order.side_sign,
        reference=price,
        collar=context.config.limits.price_collar,
        parent_limit=order.limit_price,
    )


def enter(order: Order, context: Context) -> None:
    """Note with a new order, whose window is known, what the broker will get. Raises
    InvalidSignal."""
    name = order_parameters.native(order)
    if name is None:
        return
    try:
        native = instructions(
            name,
            order.parameters.get("native_parameters", {}),
            start=clock.real_time_of(order.start_at),
            end=clock.real_time_of(order.end_at),
            cap=_cap(order, name, context.config.execution),
        )
    except ValueError as error:
        raise InvalidSignal({"native_parameters": str(error)}) from None
    order.routing[KEY] = native.as_json()


def of(order: Order, part: Slice) -> Native | None:
    """What the broker gets with a child: all but the first are for shares that came back, and
    start when they leave."""
    kept = order.routing.get(KEY)
    if not kept:
        return None
    native = Native.from_json(kept)
    return native.starting(clock.real_time_of(part.due_at)) if part.sequence else native


def _cap(order: Order, name: str, config: Execution) -> Decimal | None:
    """The smaller of the order's and the configured one; what starts at once has none, as LIMIT."""
    cap = participation.smallest_cap(order, config) if NATIVES[name].over_time else None
    return None if cap is None else Decimal(str(cap))
