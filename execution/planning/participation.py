"""The share of the market's volume that an order may be, from its own word and its algorithm's."""

from deepstack.config import Execution
from execution.domain.algorithms import registry
from execution.domain.participation import Pace
from execution.models import Order, Slice
from execution.planning import order_parameters, residual


def pace(order: Order, part: Slice, config: Execution) -> Pace | None:
    """The share of the market's volume that the order may be with this slice, if there is one: its
    own cap, and for orders worked over time the configured one; the smaller of both. What follows
    the tape goes by a share of it as well. What takes the residual is as free as the order says,
    and goes no pace of its own. An algorithm of the broker's gets its share when the order is
    accepted, and no child is cut."""
    if order_parameters.native(order):
        return None
    if residual.final_policy(order, part):
        free = order.parameters.get("residual_ignores_cap")
        return None if free else _capped(_by_algorithm(order, config))
    if registry.of(order.algorithm).follows_tape:
        return _followed(order, config)
    return _capped(_by_algorithm(order, config))


def _capped(cap: float | None) -> Pace | None:
    return None if cap is None else Pace(cap, cap)


def _followed(order: Order, config: Execution) -> Pace:
    """An order that says the largest part which it may be is held to that, another one to a little
    more than it goes by."""
    share = participation(order, config)
    own = order.parameters.get("max_participation")
    cap = own or share * (1 + config.pov.close_allowance)
    return Pace(share, min(float(each) for each in (cap, config.max_participation) if each))


def _by_algorithm(order: Order, config: Execution) -> float | None:
    asked_for: float | None = order.parameters.get("max_participation")
    return smallest_cap(order, config) if registry.of(order.algorithm).over_time else asked_for


def smallest_cap(order: Order, config: Execution) -> float | None:
    """The cap that would hold for the order if it were worked over time."""
    asked_for = order.parameters.get("max_participation")
    return min((float(cap) for cap in (asked_for, config.max_participation) if cap), default=None)


def participation(order: Order, config: Execution) -> float:
    """The part of the volume that is followed, by orders that follow the tape: the order's own
    own, else the largest part that it may be, else the configured one; never above a cap."""
    asked = order.parameters
    asked_for = (
        asked.get("participation") or asked.get("max_participation") or config.pov.participation
    )
    return min(float(each) for each in (asked_for, smallest_cap(order, config)) if each)
