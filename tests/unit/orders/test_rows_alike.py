"""Rows made without Model.__init__ are those that it makes."""

from datetime import UTC, datetime
from typing import Any

from deepstack.database.rows_alike import rows_alike
from execution.models import Order, Slice

AT = datetime(2026, 3, 2, 15, tzinfo=UTC)


def _columns(row: Slice) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "_state"}


def test_a_row_is_as_its_class_makes_it() -> None:
    order = Order(pk=7)
    values = {"sequence": 3, "due_at": AT, "planned_quantity": 10, "client_order_id": "a-3"}
    [made] = rows_alike(Slice(order=order), [values])
    made_by_django = Slice(order=order, **values)
    assert _columns(made) == _columns(made_by_django)
    assert made.order is order
    assert made._state.adding
    assert made._state.db is None


def test_rows_share_no_value_that_can_change() -> None:
    first, second = rows_alike(
        Slice(order=Order(pk=7), explanation={"rule": "kept"}), [{"sequence": 0}, {"sequence": 1}]
    )
    first.explanation["size"] = 5
    first.order = Order(pk=8)
    assert (second.explanation, second.order_id, second.order.pk) == ({"rule": "kept"}, 7, 7)
