"""The cost report of a period: in the terminal, and as files."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from execution.domain.exchange_time import exchange_day
from execution.domain.figures import counted
from execution.management.console import BadInput, OperatorCommand
from execution.models import Order
from monitoring.clocks import Moment
from monitoring.cost_report import (
    csv_file,
    figures,
    html_page,
    period,
    replayed,
    replayed_csv,
    report,
)
from monitoring.cost_report.figures import COLUMNS, Cell
from monitoring.cost_report.groups import Group
from monitoring.cost_report.measures import MEASURES
from monitoring.cost_report.period import BadPeriod, Period
from monitoring.cost_report.replayed_words import difference, words_of
from monitoring.cost_report.report import BY, Report

LONGEST_NAME = 16
STYLES = {"+": "red", "-": "green", "": ""}


class Command(OperatorCommand):
    help = (
        "What execution cost in a period, in basis points weighted by value; + is a cost, ± half of"
        " the 95 % interval. Orders count on the exchange's date of their end."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", metavar="DATE", help="YYYY-MM-DD, New York")
        parser.add_argument(
            "--to", dest="last", metavar="DATE", help="its last day, by default today"
        )
        parser.add_argument("--period", choices=list(period.NAMED), help="by default today")
        parser.add_argument(
            "--by",
            choices=list(BY),
            default="symbol",
            metavar="GROUP",
            help=f"one of {', '.join(BY)}; by default the symbol",
        )
        parser.add_argument("--account", help="by default all accounts together")
        parser.add_argument("--html", type=Path, metavar="FILE", help="write one file with charts")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write every measure")
        parser.add_argument(
            "--algorithms-csv",
            type=Path,
            metavar="FILE",
            help="write what the algorithms would have cost, replayed",
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        moment = Moment.read()
        chosen = _period(options, moment)
        _check_account(options["account"])
        account = options["account"] or ""
        found = report.of(chosen, by=options["by"], account=account)
        if options["html"]:
            _write(options["html"], html_page.text(found, at=moment.now))
        if options["csv"]:
            _write(options["csv"], csv_file.text(found))
        if options["algorithms_csv"]:
            compared = replayed.of(chosen, account=account)
            _write(options["algorithms_csv"], replayed_csv.text(compared))
        if options["json"]:
            self.print_json(as_json(found))
            return
        for part in _tables(found):
            self.out.print(part)
        for path in (options["html"], options["csv"], options["algorithms_csv"]):
            if path:
                self.stdout.write(f"written: {path}")


def _period(options: Mapping[str, Any], moment: Moment) -> Period:
    today = exchange_day(moment.now)
    for name, given in (("from", options["first"]), ("to", options["last"])):
        if given == "":
            raise BadInput(f"--{name} is empty: give a day as YYYY-MM-DD, or leave it out")
    if options["period"] and (options["first"] or options["last"]):
        raise BadInput("--period: give either a period or --from and --to")
    try:
        return period.read(options["first"], options["last"], options["period"], today=today)
    except BadPeriod as error:
        raise BadInput(f"--{error.field}: {error}") from None


def _check_account(account: str | None) -> None:
    if account is not None and not Order.objects.filter(account=account).exists():
        raise BadInput(f"--account {account!r}: no such account has orders")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None


def _tables(found: Report) -> Iterator[Table | str]:
    whose = found.account or "all accounts"
    if not found.total.executed:
        yield f"no order with an execution ended in {found.period} ({whose})"
        return
    yield f"{found.period}, {whose}; bps: + is a cost, ± the 95 % interval"
    yield _groups(found)
    yield _parts(found.total)
    if found.worst:
        yield _worst(found)
    if found.replayed.ways:
        yield _algorithms(found)
        yield _pairs(found)
    if found.total.preliminary:
        changing = counted(found.total.preliminary, "order")
        yield f"preliminary: the market may still change {changing}"
    if found.missing:
        yield f"{found.missing:,} orders are not in these figures yet: their day is being summed"


def _groups(found: Report) -> Table:
    columns = [column for column in COLUMNS if column.narrow]
    table = Table(box=None, pad_edge=False)
    table.add_column(BY[found.by], no_wrap=True, max_width=LONGEST_NAME)
    for column in columns:
        table.add_column(column.title, justify="right", no_wrap=True)
    for name, group in [*found.groups, ("All", found.total)]:
        cells = [_styled(column.cell(group), column.title) for column in columns]
        table.add_row(Text(name or "none"), *cells, style="bold" if group is found.total else "")
    return table


def _styled(cell: Cell, title: str) -> Text:
    """The margin of error has room in one column."""
    more = f" {cell.more}" if cell.more and title == MEASURES["arrival"].title else ""
    return Text(cell.text + more, style=STYLES[cell.sign])


def _parts(total: Group) -> str:
    shortfall = total.of("shortfall")
    if not shortfall.orders:
        return "Shortfall: no order has a decision price"
    parts = ", ".join(
        f"{name} {figures.signed(figures.mean(name, total))}"
        for name in ("delay", "trading", "opportunity", "fees")
    )
    return f"Shortfall {figures.money(shortfall.cost)}: {parts} bps"


def _worst(found: Report) -> Table:
    table = Table(box=None, pad_edge=False, title="Dearest orders", title_justify="left")
    table.add_column("Order", no_wrap=True)
    table.add_column("Cost", justify="right", no_wrap=True)
    table.add_column("bps", justify="right", no_wrap=True)
    table.add_column("Mostly because")
    for dear in found.worst:
        order = f"{dear.order.pk} {dear.order.side} {dear.order.symbol}"
        cost, bps = figures.money(dear.cost), figures.signed(dear.bps)
        table.add_row(Text(order), cost, bps, Text(dear.reason))
    return table


def _algorithms(found: Report) -> Table:
    table = Table(box=None, pad_edge=False, title="By each algorithm, replayed")
    table.title_justify = "left"
    for title, justify in (("Algorithm", "left"), ("Orders", "right"), ("Filled", "right")):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("Cost", justify="right", no_wrap=True)
    for name, way in found.replayed.ways.items():
        cell = difference(way)
        filled = figures.NOT_KNOWN if way.filled is None else f"{way.filled:.0%}"
        table.add_row(name, f"{way.orders:,}", filled, f"{cell.text} {cell.more}")
    return table


def _pairs(found: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Difference", no_wrap=True)
    table.add_column("Orders", justify="right", no_wrap=True)
    table.add_column("bps", justify="right", no_wrap=True)
    table.add_column("")
    for (one, other), pair in found.replayed.pairs.items():
        cell = difference(pair)
        bps = Text(f"{cell.text} {cell.more}", style=STYLES[cell.sign])
        table.add_row(f"{one} - {other}", f"{pair.orders:,}", bps, words_of(pair, one))
    if (error := found.replayed.error) is not None:
        cell = difference(error)
        table.add_row("replayed - real", f"{error.orders:,}", f"{cell.text} {cell.more}", "")
    return table


def as_json(found: Report) -> Mapping[str, object]:
    return {
        "from": found.period.first,
        "to": found.period.last,
        "account": found.account,
        "by": found.by,
        "missing_orders": found.missing,
        "total": _plain(found.total),
        "groups": {name: _plain(group) for name, group in found.groups},
        "replayed": [
            dict(zip(replayed_csv.HEAD, row, strict=True))
            for row in list(replayed_csv.rows(found.replayed))[1:]
        ],
        "dearest_orders": [
            {"order_id": each.order.pk, "cost": each.cost, "bps": each.bps, "reason": each.reason}
            for each in found.worst
        ],
    }


def _plain(group: Group) -> Mapping[str, object]:
    counts = {name: getattr(group, name) for name in csv_file.COUNTS}
    measures = {
        name: {
            measure.unit.name.lower(): figures.mean(name, group),
            "margin": figures.margin(name, group),
            "orders": group.of(name).orders,
        }
        for name, measure in MEASURES.items()
    }
    return {**counts, "median_bps": group.median_bps, "measures": measures}
