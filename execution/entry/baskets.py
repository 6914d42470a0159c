"""Orders that were handed over together: all of them carry the name of their basket."""

from collections.abc import Iterable
from uuid import uuid4

from execution.models import Order


def new_name() -> str:
    """For a list that was given no name."""
    return f"list-{uuid4().hex[:12]}"


def shared(orders: Iterable[Order]) -> str:
    """The basket that all of the orders are in; empty where there is none."""
    names = {order.basket for order in orders}
    return names.pop() if len(names) == 1 else ""
