"""What the commands print fits the terminal: pictures shrink, figures stay whole."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from execution.management import progress
from execution.management.commands import orders as orders_command
from execution.management.commands import preview as preview_command
from execution.management.fitting import Column, fitted
from execution.management.sparkline import sparkline
from execution.models import Order
from execution.orders.progress_curve import PARTS, Shape, shape
from execution.orders.queries import Progress, Tracking

START = datetime(2026, 3, 2, 16, tzinfo=UTC)
WIDTHS = (80, 100, 140)


def printed(what: RenderableType, width: int) -> list[str]:
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    console.print(what)
    return out.getvalue().splitlines()


def order(number: int = 123, **changes: object) -> Order:
    values: dict[str, object] = {
        "pk": number,
        "account": "default",
        "side": "BUY",
        "quantity": 400_000,
        "symbol": "GOOGL",
        "algorithm": "VWAP",
        "status": "WORKING",
        "filled_quantity": 123_456,
        "filled_notional": Decimal("15432000"),
        "arrival_bid": Decimal("124.99"),
        "arrival_ask": Decimal("125.01"),
        "slice_count": 1_000,
        "start_at": START,
        "end_at": START + timedelta(hours=5),
        "created_at": START,
    }
    return Order(**{**values, **changes})


def under_way() -> Progress:
    return Progress(
        order=order(),
        slices_done=308,
        average=Decimal("125.0000"),
        benchmark=Decimal("124.8765"),
        benchmark_name="VWAP",
        left=timedelta(hours=3, minutes=27),
        typical_bps=6.5,
    )


HALF = Shape(
    planned=[(part + 1) / PARTS for part in range(PARTS)],
    executed=[min(part + 1, 8) / PARTS for part in range(PARTS)],
    gone=12,
)
FIGURES = ("123 BUY 400,000 GOOGL VWAP", "31%", "+9.9 bps", "3:27:00", "WORKING")


@pytest.mark.parametrize("width", WIDTHS)
def test_an_order_under_way_is_one_line_with_its_figures_whole(width: int) -> None:
    lines = printed(progress.table([under_way()], {123: HALF}, width=width), width)
    assert len(lines) == 2  # the head, and the order
    assert all(len(line) <= width for line in lines)
    assert all(figure in lines[1] for figure in FIGURES)
    assert any(mark in lines[1] for mark in "▁▂▃▄▅▆▇█")
    assert ("124.8765" in lines[1]) == (width >= 140)


def test_a_terminal_of_ascii_gets_ascii() -> None:
    lines = printed(progress.table([under_way()], {123: HALF}, width=140, plain=True), 140)
    assert lines[1].isascii()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_list_of_orders_fits_with_its_figures_whole(width: int) -> None:
    seen = Tracking(
        since=START,
        until=START,
        market_vwap=Decimal("124.876543"),
        average=Decimal(125),
        deviation_bps=9.9,
        typical_bps=6.5,
        preliminary=True,
    )
    table = orders_command.table([order(), order(7)], {123: seen}, width=width)
    lines = printed(table, width)
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    for figure in ("123", "BUY 400,000 GOOGL", "WORKING", "123,456", "125.0000  0.0  "):
        assert figure in lines[1]
    assert ("124.8765*" in lines[1]) == (width >= 140)


ALTERNATIVE = {
    "algorithm": "VWAP",
    "cost_bps": 12.345,
    "standard_error_bps": 3.2,
    "deviation_bps": 8.75,
    "participation": 0.0123,
    "finish": "2026-03-02T20:00:00+00:00",
    "feasible": False,
    "feasible_by": "2026-03-02T20:30:00+00:00",
}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_preview_fits_with_its_figures_whole(width: int) -> None:
    seen = {"algorithm": "VWAP", "alternatives": [ALTERNATIVE, {**ALTERNATIVE, "algorithm": "IS"}]}
    lines = printed(preview_command.table(seen, width=width), width)  # type: ignore[arg-type]
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    for figure in ("VWAP *", "+12.35", "1.23%", "2026-03-02 15:00:00 ET", "by 15:30:00 ET"):
        assert figure in lines[1]
    assert ("8.75" in lines[1]) == (width >= 100)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, ["name", "picture", "spare", "rare"]),
        (29, ["name", "picture", "spare", "rare"]),
        (25, ["name", "spare", "rare"]),
        (21, ["name", "spare"]),
        (10, ["name"]),
        (3, ["name"]),
    ],
)
def test_what_can_be_spared_goes_first(width: int, shown: Sequence[str]) -> None:
    columns = [
        Column("name"),
        Column("picture", drawn=5),
        Column("spare", spare=1),
        Column("rare", spare=2),
    ]
    row = ["1234567890", lambda room: sparkline([1.0], [1.0], gone=1, width=room), "5", "6"]
    table = fitted(columns, [row], width)
    names = [str(column.header) or "picture" for column in table.columns]
    assert names == shown


@pytest.mark.parametrize(
    ("planned", "executed", "gone", "text", "styles"),
    [
        ([0.25, 0.5, 0.75, 1.0], [0, 0, 0, 0], 0, "▃▅▇█", ["bright_black"] * 4),
        ([0.25, 0.5, 0.75, 1.0], [0.25, 0.5, 0.75, 1.0], 4, "▃▅▇█", ["green"] * 4),
        ([0.25, 0.5, 0.75, 1.0], [0.25, 0.25, 0, 0], 2, "▃▃▇█", ["green", "yellow"]),
        ([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], 1, "▁▁▁█", ["green", "bright_black"]),
    ],
    ids=["to come", "as planned", "behind", "at once"],
)
def test_a_sparkline_tells_what_was_done_from_what_is_to_come(
    planned: Sequence[float], executed: Sequence[float], gone: int, text: str, styles: list[str]
) -> None:
    line = sparkline(planned, executed, gone=gone, width=4)
    assert line.plain == text
    assert [str(span.style) for span in line.spans][: len(styles)] == styles
    assert len(sparkline(planned, executed, gone=gone, width=2)) == 2


@pytest.mark.parametrize(
    ("hours", "status", "gone"),
    [(-1, "ACCEPTED", 0), (0, "WORKING", 0), (2.5, "WORKING", 12), (9, "WORKING", 24)],
)
def test_how_much_of_the_window_is_over(hours: float, status: str, gone: int) -> None:
    now = START + timedelta(hours=hours)
    seen = shape(order(status=status), [(1, 200_000, 100_000), (25, 400_000, 0)], now=now)
    assert (seen.planned[0], seen.planned[-1], seen.executed[-1]) == (0.5, 1.0, 0.25)
    assert seen.gone == gone
    assert shape(order(status="FILLED"), [], now=START).gone == PARTS
