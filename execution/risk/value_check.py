"""Whether an order's value and decision price were compared with a market that is known.

It happens once: at entry, or where there is no usable quote then, before its first child leaves.
Until then each child is held to what the limits say of the whole order.
"""

from datetime import datetime
from decimal import Decimal

from deepstack.database.unit_of_work import save
from execution.domain.risk_checks import Denial
from execution.market.base import Quote
from execution.models import Order
from execution.orders.draft import Draft
from execution.risk.pretrade import Priced, Verdict


def enter(order: Order, verdict: Verdict, *, at: datetime) -> None:
    """Note with a new order, that passed, whether it was compared."""
    if verdict.settled:
        _note(order, at)


def denied(order: Order, denial: Denial) -> None:
    if denial.code == "DECISION_PRICE_OFF_MARKET":
        order.decision_within_collar = False


def whole(order: Order) -> int | None:
    """The shares that a child is held to beside its own; None once the order is settled."""
    return order.quantity if order.settled_at is None else None


def priced(order: Order, limit: Decimal | None, quote: Quote | None) -> Priced:
    """A child's prices; the decision price of the order counts until it is settled."""
    return Priced(limit, quote, order.decision_price if order.settled_at is None else None)


def passed(order: Order, *, at: datetime) -> None:
    """A child of a locked order has passed all checks."""
    if order.settled_at is None:
        _note(order, at)
        save(order, "settled_at", "decision_within_collar")


def amended(order: Order, draft: Draft | None) -> None:
    """Of an order whose value an amendment made another; the row is saved by the caller."""
    if draft is not None and draft.order.settled_at is None:
        order.settled_at = None


def _note(order: Order, at: datetime) -> None:
    order.settled_at = at
    if order.decision_price is not None:
        order.decision_within_collar = True
