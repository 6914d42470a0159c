"""`manage.py verify` beside a running stack: no false alarm, and each changed row is found."""

import json
from collections.abc import Callable

import pytest

from execution import context
from execution.entry import acceptance
from execution.models import Fill, Order, Slice
from execution.orders import verification
from tests.stack import Stack, wait_for

ACCOUNT = "verified"


@pytest.fixture
def order(stack: Stack) -> Order:
    """One that trades for as long as the test looks at it, with a fill."""
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 600, "account": ACCOUNT}
    made = acceptance.accept(
        signal | {"algorithm": "TWAP", "window_minutes": 0.2, "slices": 4}, context.default()
    )
    wait_for(made.fills.exists, 20, "the first fill")
    return made


def test_a_live_system_verifies_and_each_changed_row_is_found(stack: Stack, order: Order) -> None:
    live = stack.manage("verify", f"--after={order.pk - 1}")
    assert live.returncode == 0, live.stdout + live.stderr
    assert "every total, status and fill agrees" in live.stdout

    wait_for(lambda: Order.objects.get(pk=order.pk).is_terminal, 40, "the order to end")
    fill = order.fills.earliest("pk")
    changes: list[tuple[Callable[[], object], Callable[[], object], str]] = [
        (
            lambda: Order.objects.filter(pk=order.pk).update(commission=99),
            lambda: Order.objects.filter(pk=order.pk).update(commission=_commission(order)),
            "commission: stored 99",
        ),
        (
            lambda: Fill.objects.filter(pk=fill.pk).update(price=fill.price + 1),
            lambda: Fill.objects.filter(pk=fill.pk).update(price=fill.price),
            "filled notional: stored",
        ),
        (
            lambda: Slice.objects.filter(pk=fill.slice_id).update(status="REJECTED"),
            lambda: Slice.objects.filter(pk=fill.slice_id).update(status="FILLED"),
            "stored REJECTED, the events say FILLED",
        ),
    ]
    for spoil, mend, said in changes:
        spoil()
        first = verified(order)[0]
        mend()
        assert said in first
    assert verified(order) == []

    Order.objects.filter(pk=order.pk).update(filled_notional=1)
    found = stack.manage("verify", f"--after={order.pk - 1}", "--json")
    Order.objects.filter(pk=order.pk).update(filled_notional=order_notional(order))
    assert found.returncode == 1, found.stdout + found.stderr
    told = json.loads(found.stdout)
    assert [each["order"] for each in told["shown"]] == [order.pk]
    assert f"explain {order.pk}" in found.stderr


def verified(order: Order) -> list[str]:
    batches = verification.batches(after=order.pk - 1)
    return [each.words for batch in batches for each in batch.found]


def order_notional(order: Order) -> object:
    return sum(fill.quantity * fill.price for fill in order.fills.all())


def _commission(order: Order) -> object:
    fees = [fill.commission or 0 for fill in order.fills.all()]
    return sum(fees)
