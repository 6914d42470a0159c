"""What stands in the cells of an exported list."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from deepstack.csv_text import cell
from execution.admin.csv_export import columns
from execution.models import Order, Slice


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        ("", ""),
        ("AAPL", "AAPL"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("a=1", "a=1"),
        (-5, -5),
        (Decimal("-0.50"), "-0.50"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        (False, "false"),
        (0, 0),
        (datetime(2026, 3, 2, 16, tzinfo=UTC), "2026-03-02T16:00:00+00:00"),
        ({"a": None}, '{"a": null}'),
        ([1, 2], "[1, 2]"),
    ],
)
def test_a_cell_is_read_as_what_it_is_and_never_as_a_formula(
    value: object, written: object
) -> None:
    assert cell(value) == written


def test_every_column_is_exported_but_what_is_hidden_or_private() -> None:
    names = columns(Order, hidden=["routing"])
    assert names[0] == "id"
    assert {"status", "filled_quantity", "client_reference"} <= set(names)
    assert "routing" not in names
    assert "order_id" in columns(Slice)
    assert "claim_token" not in columns(Slice)
