"""What verification says of one order's rows: nothing where they agree, and which one does not."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from execution.domain.order_record import (
    EventRow,
    Executed,
    OrderRecord,
    SliceRow,
    disagreements,
)

CENT = Decimal("0.01")


def filled(kind: str = "FILL", **changes: Any) -> EventRow:
    data = {"slice": 0, "execution_id": "x1", "quantity": 60, "price": "10.5", "commission": None}
    return EventRow(4, kind, data | changes)


def moved(before: str, after: str, number: int = 3) -> EventRow:
    return EventRow(number, "ORDER_STATUS", {"from": before, "to": after})


GOOD = OrderRecord(
    quantity=100,
    status="WORKING",
    filled=60,
    notional=Decimal(630),
    commission=CENT,
    slices={0: SliceRow("FILLED", 60, 60), 1: SliceRow("QUEUED", 0, 0)},
    fills={(0, "x1"): Executed(60, Decimal("10.5"), CENT)},
    events=[
        EventRow(1, "ORDER_ACCEPTED", {"slices": 2}),
        EventRow(2, "SLICE_SENDING", {"slice": 0}),
        moved("ACCEPTED", "WORKING"),
        filled(),
        filled("COMMISSION", commission="0.0100004"),
        EventRow(6, "SLICE_STATUS", {"slice": 0, "from": "SENDING", "to": "FILLED"}),
    ],
)


def test_rows_that_agree_give_nothing() -> None:
    assert list(disagreements(GOOD)) == []


def test_a_price_is_told_exactly_and_stored_to_six_places() -> None:
    events = [filled(price="10.5000005") if e.kind == "FILL" else e for e in GOOD.events]
    events[4] = filled("COMMISSION", commission="0.01", price="10.5000005")
    stored = Decimal("10.500001")
    fills = {(0, "x1"): Executed(60, stored, CENT)}
    assert not list(disagreements(replace(GOOD, events=events, fills=fills, notional=60 * stored)))


Change = Callable[[OrderRecord], OrderRecord]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            lambda r: replace(r, filled=61),
            ["filled quantity: stored 61, the fills add up to 60"],
            id="total of shares",
        ),
        pytest.param(
            lambda r: replace(r, notional=Decimal("630.000001")),
            ["filled notional: stored 630.000001, the fills add up to 630"],
            id="total of dollars",
        ),
        pytest.param(
            lambda r: replace(r, commission=Decimal(0)),
            ["commission: stored 0, the fills add up to 0.01"],
            id="total of commissions",
        ),
        pytest.param(
            lambda r: replace(r, slices=r.slices | {0: SliceRow("FILLED", 60, 59)}),
            ["slice 0: filled quantity: stored 59, the fills add up to 60"],
            id="total of a slice",
        ),
        pytest.param(
            lambda r: replace(r, quantity=59),
            ["executed 60 and working 0 are more than the order's 59"],
            id="F above Q",
        ),
        pytest.param(
            lambda r: replace(r, slices=r.slices | {1: SliceRow("SENDING", 41, 0)}),
            [
                "executed 60 and working 41 are more than the order's 100",
                "slice 1: stored SENDING, the events say PLANNED",
            ],
            id="F + W above Q",
        ),
        pytest.param(
            lambda r: replace(r, status="FILLED"),
            [
                "the order is FILLED, but slice 1 is still to be sent",
                "status: stored FILLED, the events say WORKING",
            ],
            id="status",
        ),
        pytest.param(
            lambda r: replace(r, slices={0: r.slices[0]}),
            ["slice 1: stored no such slice, the events say PLANNED"],
            id="a slice is gone",
        ),
        pytest.param(
            lambda r: replace(r, fills={}, filled=0, notional=Decimal(0), commission=Decimal(0)),
            [
                "slice 0: filled quantity: stored 60, the fills add up to 0",
                "slice 0, execution x1: stored no fill, the events say 60 at 10.5, commission 0.01",
            ],
            id="a fill is gone",
        ),
        pytest.param(
            lambda r: replace(r, events=[e for e in r.events if e.id != 3]),
            ["status: stored WORKING, the events say ACCEPTED"],
            id="an event is gone",
        ),
        pytest.param(
            lambda r: replace(r, events=r.events[1:]),
            ["event 3 ORDER_STATUS: goes on from ACCEPTED, the events before it say nothing"],
            id="the first event is gone",
        ),
        pytest.param(
            lambda r: replace(r, events=[*r.events, moved("WORKING", "ACCEPTED", 7)]),
            ["event 7 ORDER_STATUS: WORKING -> ACCEPTED is not allowed"],
            id="a transition that is not in the table",
        ),
        pytest.param(
            lambda r: replace(r, events=[*r.events, EventRow(7, "FILL", {"slice": 1})]),
            ["event 7 FILL: its data cannot be read"],
            id="an event without its data",
        ),
    ],
)
def test_a_row_that_another_contradicts_is_named(change: Change, said: list[str]) -> None:
    assert list(disagreements(change(GOOD))) == said


def test_what_a_late_fill_takes_beyond_the_order_is_no_disagreement() -> None:
    events = [filled("LATE_FILL") if e.kind == "FILL" else e for e in GOOD.events]
    slices = GOOD.slices | {1: SliceRow("SENDING", 50, 0)}
    sending = EventRow(7, "SLICE_SENDING", {"slice": 1})
    assert not list(disagreements(replace(GOOD, events=[*events, sending], slices=slices)))
