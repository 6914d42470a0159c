"""A rule that is asked in SQL and in Python gives one answer."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from execution.domain.lifecycle import OrderStatus, SliceStatus, has_failed
from execution.models import Order, Slice, TradingState
from execution.models.orders import working
from execution.orders.results import ARRIVAL_KNOWN, ARRIVAL_PRICE, arrival_price
from execution.risk import kill_switch, scopes
from monitoring.alerting.order_facts import FAILED
from tests.integration.monitoring.rows import child
from tests.integration.monitoring.rows import working as order_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("filled", [0, 1])
@pytest.mark.parametrize("status", [each for each in OrderStatus if each != "FILLED"])
def test_which_orders_have_failed(status: OrderStatus, filled: int) -> None:
    row = Order.objects.filter(pk=order_of().pk)
    row.update(status=status, filled_quantity=filled)
    assert row.filter(FAILED).exists() == has_failed(status, filled)


@pytest.mark.parametrize(
    ("bid", "ask", "mid"),
    [
        ("10.000001", "10.000002", Decimal("10.0000015")),
        ("10", "10.01", Decimal("10.005")),
        (None, "10", None),
        ("10", None, None),
    ],
)
def test_the_arrival_price(bid: Any, ask: Any, mid: Decimal | None) -> None:
    row = Order.objects.filter(pk=order_of().pk)
    row.update(arrival_bid=bid, arrival_ask=ask)
    assert arrival_price(row.get()) == mid
    assert list(row.filter(ARRIVAL_KNOWN).values_list(ARRIVAL_PRICE)) == ([(mid,)] if mid else [])


@pytest.mark.parametrize("status", SliceStatus)
@pytest.mark.parametrize(("quantity", "filled"), [(None, 0), (100, 30), (100, 100), (100, 130)])
def test_the_shares_that_the_broker_may_still_execute(
    status: SliceStatus, quantity: int | None, filled: int
) -> None:
    part = Slice(status=status, quantity=quantity, filled_quantity=filled)
    at_broker = status in ("SENDING", "UNKNOWN", "WORKING", "CANCELLING")
    expected = max((quantity or 0) - filled, 0) if at_broker else 0
    assert part.leaves == expected


def test_the_sum_of_them() -> None:
    order = order_of()
    for status, quantity, filled in [
        ("WORKING", 100, 30),
        ("UNKNOWN", 50, 0),
        ("CANCELLING", 20, 20),
        ("CANCELLED", 40, 10),
        ("PLANNED", None, 0),
    ]:
        claimed = {"claim_token": uuid4(), "quantity": quantity, "filled_quantity": filled}
        child(order, status=status, **claimed)
    slices = Slice.objects.filter(order=order)
    assert working(slices) == sum(part.leaves for part in slices) == 120
    assert working(slices.filter(status="PLANNED")) == 0


@pytest.mark.parametrize("strategy", ["", "momentum"])
def test_which_states_apply_to_an_order(strategy: str) -> None:
    order = order_of()
    Order.objects.filter(pk=order.pk).update(strategy=strategy)
    order.refresh_from_db()
    rows = [
        TradingState.objects.create(
            scope=scope, key=key, state="HALTED", reason="r", changed_by="b"
        )
        for scope, key in [
            ("SYSTEM", ""),
            ("ACCOUNT", order.account),
            ("ACCOUNT", "another"),
            ("STRATEGY", "momentum"),
            ("SYMBOL", order.symbol),
            ("SYMBOL", "ZZZ"),
        ]
    ]
    stored = {row.pk for row in TradingState.objects.filter(scopes.applying_to(order))}
    assert stored == {row.pk for row in rows if (row.scope, row.key) in scopes.keys(order)}
    covering = {
        row.pk for row in rows if Order.objects.filter(scopes.covered_by(row), pk=order.pk).exists()
    }
    assert stored == covering
    assert len(kill_switch.applies(rows, order)) == len(stored) == (4 if strategy else 3)
