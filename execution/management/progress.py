"""Orders under way, shown on a terminal: what is done, at which price, how long it will take."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import OperationalError, connection
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from execution.domain import figures
from execution.domain.reading import one_line
from execution.entry import submission
from execution.management.fitting import Cell, Column, Picture, fitted
from execution.management.sparkline import sparkline
from execution.market import clock
from execution.market.base import MarketData
from execution.models import Order
from execution.orders import queries
from execution.orders.progress_curve import PARTS, Shape, shapes
from execution.orders.queries import Progress, Report

PRELIMINARY = ", preliminary"
LOOK_EVERY = 0.25  # seconds
LINE_EVERY = 5.0  # seconds, where the output is no terminal
STYLES = {
    "FILLED": "bold green",
    "WORKING": "cyan",
    "ACCEPTED": "cyan",
    "PAUSED": "yellow",
    "CANCELLING": "yellow",
    "CANCELLED": "yellow",
    "EXPIRED": "red",
    "DENIED": "bold red",
    "REJECTED": "bold red",
    "OVERFILLED": "bold red",
}


@dataclass(slots=True)
class Watch:
    """Shows orders until all have ended. Whoever stops looking changes nothing."""

    console: Console
    market: MarketData
    now: Callable[[], datetime] = clock.now
    _spoken: float = float("-inf")
    _said: set[str] = field(default_factory=set)

    def until_done(self, ids: Sequence[int], *, patience: float | None = None) -> list[Order]:
        """The orders as they ended; with `patience`, as they are after so many seconds."""
        give_up = None if patience is None else time.monotonic() + patience
        with Live(console=self.console, auto_refresh=False, transient=False) as live:
            while True:
                seen = self._look(live, ids)
                done = bool(seen) and all(each.order.is_terminal for each in seen)
                if done or (give_up is not None and time.monotonic() > give_up):
                    return [each.order for each in seen]
                time.sleep(LOOK_EVERY)

    def _look(self, live: Live, ids: Sequence[int]) -> list[Progress]:
        try:
            seen = queries.progress(ids, self.market, now=self.now())
            warning = submission.concern()
        except OperationalError as error:
            connection.close()
            self._show(live, [], f"PostgreSQL does not answer, the orders go on: {error}".strip())
            return []
        self._show(live, seen, warning)
        return seen

    def _show(self, live: Live, seen: Sequence[Progress], warning: str) -> None:
        if self.console.is_terminal:
            live.update(self._table(seen, warning), refresh=True)
        elif time.monotonic() - self._spoken >= LINE_EVERY or _all_done(seen):
            self._spoken = time.monotonic()
            for text in [*map(line, seen), *([warning] if warning else [])]:
                if text not in self._said:  # what has ended is shown once
                    self.console.print(text, markup=False, soft_wrap=True)
            self._said = set(map(line, seen))

    def _table(self, seen: Sequence[Progress], warning: str) -> RenderableType:
        return table(
            seen,
            shapes([each.order for each in seen], now=self.now()),
            width=self.console.width,
            plain=self.console.options.ascii_only,
            warning=warning,
        )


def _all_done(seen: Sequence[Progress]) -> bool:
    return bool(seen) and all(each.order.is_terminal for each in seen)


def line(seen: Progress) -> str:
    """One order under way, in one line."""
    order = seen.order
    return (
        f"{title(order)}: {order.status}, filled {order.filled_quantity:,}/{order.quantity:,},"
        f" slices {seen.slices_done}/{order.slice_count},"
        f" average {price(seen.average)} ({_against(seen)}), left {clock_face(seen.left)}"
    )


def title(order: Order) -> str:
    return f"order {order.pk} {order.side} {order.quantity:,} {order.symbol} {order.algorithm}"


COLUMNS = (
    Column("order", "left"),
    Column("planned and executed", "left", drawn=PARTS),
    Column("filled"),
    Column("slices", spare=2),
    Column("average", spare=1),
    Column("benchmark", spare=4),
    Column("against"),
    Column("usual", spare=3),
    Column("left"),
    Column("status", "left"),
)


def table(
    seen: Sequence[Progress],
    shapes: Mapping[int, Shape],
    *,
    width: int,
    plain: bool = False,
    warning: str = "",
) -> RenderableType:
    """One line for each order; `plain` for a terminal that draws ASCII alone."""
    rows = [_row(each, shapes.get(each.order.pk), plain) for each in seen]
    shown = fitted(COLUMNS, rows, width)
    return Group(shown, Text(warning, style="bold red")) if warning else shown


def _row(each: Progress, shape: Shape | None, plain: bool) -> Sequence[Cell]:
    order = each.order
    cost, usual = each.against_benchmark_bps, each.typical_bps
    return (
        title(order).removeprefix("order "),
        _picture(shape, plain),
        f"{order.filled_quantity / order.quantity:.0%}" if order.quantity else "-",
        f"{each.slices_done}/{order.slice_count}",
        price(each.average),
        f"{each.benchmark_name} {price(each.benchmark)}",
        "-" if cost is None else f"{figures.signed(cost)} bps",
        "-" if usual is None else f"{usual:.1f}",
        clock_face(each.left),
        Text(order.status, style=STYLES.get(order.status, "")),
    )


def _picture(shape: Shape | None, plain: bool) -> Picture:
    if shape is None:
        return lambda width: Text()
    return lambda width: sparkline(
        shape.planned, shape.executed, gone=shape.gone, width=width, plain=plain
    )


def _against(seen: Progress) -> str:
    """The benchmark, the order's average versus that, and how far away is usual."""
    if seen.benchmark is None:
        return f"{seen.benchmark_name} -"
    cost, usual = seen.against_benchmark_bps, seen.typical_bps
    against = "-" if cost is None else f"{figures.signed(cost)} bps"
    known = "" if usual is None else f", usually within {usual:.1f}"
    return f"{seen.benchmark_name} {price(seen.benchmark)} {against}{known}"


def price(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:,.4f}"


def _estimated(report: Report) -> str:
    error = report["estimated_standard_error_bps"]
    if report["estimated_slippage_bps"] is None:
        return bps(None)
    known = "n/a" if error is None else f"{error:.2f} bps"
    return f"{bps(report['estimated_slippage_bps'])}, standard error {known}"


def bps(value: float | None) -> str:
    return "unknown" if value is None else f"{figures.signed(value, 2)} bps"


def clock_face(left: timedelta) -> str:
    """Trading time as h:mm:ss."""
    minutes, seconds = divmod(max(round(left.total_seconds()), 0), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def report_table(report: Report) -> Table:
    """How an order ended. Slippage and cost: + is a cost."""
    table = Table.grid(padding=(0, 2))
    status = Text(report["status"], style=STYLES.get(report["status"], ""))
    if report["reason"]:
        status.append(f"  {one_line(report['reason'])}", style="default")
    name = f"{report['action']} {report['quantity']:,} {report['symbol']}"
    table.add_row(Text(f"order {report['order_id']}", style="bold"), Text(name, style="bold"))
    table.add_row("  status", status)
    for label, value in _figures(report):
        table.add_row(f"  {label}", value)
    return table


def _figures(report: Report) -> list[tuple[str, str]]:
    slices = figures.counted(report["num_slices"], "slice")
    rows = [
        ("algo", f"{report['execution_type'] or '-'}, {slices}"),
        ("filled", f"{report['filled_quantity']:,} of {report['quantity']:,}"),
        ("average", price(report["avg_price"])),
        ("arrival mid", price(report["arrival_price"])),
        ("slippage", f"{bps(report['actual_slippage_bps'])} vs arrival"),
        ("estimated", _estimated(report)),
    ]
    if report["market_vwap"] is not None:
        against = f"{price(report['market_vwap'])}, own average {bps(report['vwap_slippage_bps'])}"
        rows.append(("market VWAP", f"{against}{PRELIMINARY if report['preliminary'] else ''}"))
    return [*rows, ("commission", f"{report['commission']:,.2f}")]
