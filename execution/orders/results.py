"""What a caller gets to know of an order: derived from its row at the moment of asking."""

from decimal import Decimal
from typing import TypedDict

from django.db.models import F, Q, Value

from execution.domain.costs import average, slippage_bps
from execution.models import Order

# `arrival_price` in SQL.
ARRIVAL_KNOWN = Q(arrival_bid__isnull=False, arrival_ask__isnull=False)
ARRIVAL_PRICE = (F("arrival_bid") + F("arrival_ask")) / Value(2)


class PlannedChild(TypedDict):
    sequence: int
    due_at: str
    quantity: int


class ExecutionResult(TypedDict):
    """Prices per share; slippage in basis points of the arrival mid, + is a cost.

    `estimated_standard_error_bps` is that of the estimate, None where no data supports it.
    `avg_price` and `actual_slippage_bps` are None while nothing is filled. `reason` says why an
    order was denied or ended with a residual. `plan` is filled when the caller did not wait.
    """

    order_id: int
    client_reference: str | None
    symbol: str
    action: str
    execution_type: str
    status: str
    reason: str
    quantity: int
    filled_quantity: int
    avg_price: Decimal | None
    arrival_price: Decimal | None
    estimated_slippage_bps: float | None
    estimated_standard_error_bps: float | None
    actual_slippage_bps: float | None
    commission: Decimal
    num_slices: int
    start_at: str
    end_at: str
    plan: list[PlannedChild]


def average_price(order: Order) -> Decimal | None:
    """Filled notional over filled shares; None while nothing is filled."""
    return average(order.filled_notional, order.filled_quantity)


def arrival_price(order: Order) -> Decimal | None:
    """The mid when the signal arrived (M0); None when there was no quote."""
    if order.arrival_bid is None or order.arrival_ask is None:
        return None
    return (order.arrival_bid + order.arrival_ask) / 2


def actual_slippage_bps(order: Order) -> float | None:
    """s * (Pavg / M0 - 1) in basis points, + is a cost; None where either price is missing."""
    price, arrival = average_price(order), arrival_price(order)
    if price is None or arrival is None:
        return None
    return slippage_bps(order.side_sign, price, arrival)


def estimated_standard_error_bps(order: Order) -> float | None:
    """Of the estimated slippage; None where no data supports it."""
    error = order.routing.get("estimate", {}).get("standard_error_bps")
    return error if isinstance(error, float | int) else None


def typical_vwap_deviation_bps(order: Order) -> float | None:
    """How far from the market's VWAP such an order ends that goes well, either way: its standard
    deviation as it was stated when the order was accepted. None where nothing was learned."""
    usual: float | None = order.routing.get("typical_vwap_deviation_bps")
    return usual


def result_of(order: Order, *, plan: bool = False) -> ExecutionResult:
    price = average_price(order)
    return {
        "order_id": order.pk,
        "client_reference": order.client_reference,
        "symbol": order.symbol,
        "action": order.side,
        "execution_type": order.algorithm,
        "status": order.status,
        "reason": order.status_reason,
        "quantity": order.quantity,
        "filled_quantity": order.filled_quantity,
        "avg_price": price.quantize(Decimal("0.000001")) if price is not None else None,
        "arrival_price": arrival_price(order),
        "estimated_slippage_bps": order.estimated_slippage_bps,
        "estimated_standard_error_bps": estimated_standard_error_bps(order),
        "actual_slippage_bps": actual_slippage_bps(order),
        "commission": order.commission,
        "num_slices": order.slice_count,
        "start_at": order.start_at.isoformat(),
        "end_at": order.end_at.isoformat(),
        "plan": _plan(order) if plan else [],
    }


def _plan(order: Order) -> list[PlannedChild]:
    rows = order.slices.order_by("sequence").values_list("sequence", "due_at", "planned_quantity")
    return [
        {"sequence": sequence, "due_at": due.isoformat(), "quantity": quantity}
        for sequence, due, quantity in rows
    ]
