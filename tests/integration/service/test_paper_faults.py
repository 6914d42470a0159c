"""The service at a paper broker that is harder than any live one: every share is accounted for."""

from collections import Counter

import pytest
from django.db.models import Q

from execution import context
from execution.domain.lifecycle import SLICE_TERMINAL
from execution.entry import acceptance, order_controls
from execution.models import Fill, Order, PaperExecution, PaperOrder, Slice
from tests.integration.rebuild import assert_audit_trail_matches
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.any_date

# Of some twenty children one or more must meet a fault: with the profile's own rejects, one run in
# a hundred had none.
HARSH = {
    "PAPER__FAULTS__PROFILE": "harsh",
    "PAPER__FAULTS__SEED": "5",
    "PAPER__FAULTS__TRANSIENT_REJECTS": "0.3",
}
SIGNALS: list[dict[str, object]] = [
    {"symbol": "AAPL", "side": "BUY", "quantity": 600, "algorithm": "TWAP", "slices": 12},
    {"symbol": "AAPL", "side": "SELL", "quantity": 5000, "algorithm": "TWAP", "slices": 4},
    {"symbol": "MSFT", "side": "SELL", "quantity": 900, "algorithm": "VWAP", "slices": 12},
    {"symbol": "GOOGL", "side": "BUY", "quantity": 1200, "algorithm": "POV"},
    {"symbol": "MSFT", "side": "BUY", "quantity": 33, "urgency": "IMMEDIATE"},
]


def ids(orders: list[Order]) -> list[str]:
    slices = Slice.objects.filter(order__in=orders)
    return list(slices.values_list("client_order_id", flat=True))


def all_ended(orders: list[Order]) -> bool:
    for order in orders:
        order.refresh_from_db()
    return all(order.is_terminal for order in orders)


def all_booked(orders: list[Order]) -> bool:
    """Nothing is open at the broker, and every execution that it ever made has its fill."""
    mine = ids(orders)
    open_there = PaperOrder.objects.filter(client_order_id__in=mine, status__in=PaperOrder.OPEN)
    made = PaperExecution.objects.filter(order__client_order_id__in=mine)
    booked = Fill.objects.filter(order__in=orders)
    return not open_there.exists() and made.count() == booked.count()


def one_rests() -> tuple[list[Order], Order]:
    """A limit order that rests at the broker, and those before it, which the profile refused."""
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 50, "urgency": "LOW"}
    refused: list[Order] = []
    while len(refused) < 5:
        order = acceptance.accept(signal | {"limit_price": "100"}, context.default())
        there = PaperOrder.objects.filter(client_order_id__in=ids([order]))
        wait_for(
            lambda there=there, order=order: there.exists() or all_ended([order]),
            60,
            "the limit order to rest at the broker, or to be refused",
        )
        if there.exists():
            return refused, order
        refused.append(order)
    pytest.fail("the broker refused every limit order")


def test_every_order_ends_with_every_share_accounted_for(empty_stack: Stack) -> None:
    empty_stack.environment.update(HARSH)
    empty_stack.team()
    orders = [
        acceptance.accept(signal | {"window_minutes": 0.25}, context.default())
        for signal in SIGNALS
    ]
    refused, resting = one_rests()
    order_controls.cancel(resting.pk, by="test", now=context.default().now())
    orders += [*refused, resting]

    wait_for(lambda: all_ended(orders), 120, "all orders to end")
    wait_for(lambda: all_booked(orders), 60, "the last execution to be told and booked")

    for order in orders:
        assert_accounted_for(order)
    assert_misbehaved(ids(orders))


def assert_accounted_for(order: Order) -> None:
    order.refresh_from_db()
    parts = {part.client_order_id: part for part in order.slices.all()}
    there = PaperOrder.objects.filter(client_order_id__in=parts)
    made = PaperExecution.objects.filter(order__in=there).select_related("order")

    residual = order.quantity - order.filled_quantity
    assert sum(row.quantity for row in made) + residual == order.quantity
    assert residual >= 0
    assert (order.status == "FILLED") == (residual == 0)
    assert order.status_reason or not residual

    booked = order.fills.values_list("execution_id", "quantity", "price")
    assert Counter(booked) == Counter(
        (f"paper-{row.pk}-{row.order.client_order_id}", row.quantity, row.price) for row in made
    )
    for paper in there:
        part = parts[paper.client_order_id]
        assert part.status in ("FILLED", "CANCELLED", "EXPIRED"), "it arrived, whatever was said"
        assert (part.quantity, part.filled_quantity) == (paper.quantity, paper.filled_quantity)
    for part in parts.values():
        assert part.status in SLICE_TERMINAL
    assert_audit_trail_matches(order)


def assert_misbehaved(client_order_ids: list[str]) -> None:
    """Without this, a calm broker would pass the test as well."""
    made = PaperExecution.objects.filter(order__client_order_id__in=client_order_ids)
    assert made.filter(reported_at__isnull=False).exists()
    troubled = Q(events__data__to="UNKNOWN") | Q(attempt__gt=1)
    assert Slice.objects.filter(troubled, client_order_id__in=client_order_ids).exists()
