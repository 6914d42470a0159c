"""The report as HTML: what the page of the back office and the file both show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from execution.domain.exchange_time import exchange_time
from execution.domain.figures import counted
from monitoring.cost_report import charts, figures
from monitoring.cost_report.figures import COLUMNS, SHORTFALL, Cell, Column
from monitoring.cost_report.groups import Group
from monitoring.cost_report.replayed import Difference
from monitoring.cost_report.replayed_words import difference, words_of
from monitoring.cost_report.report import BY, Report

_STYLES = Path(__file__).parents[1] / "static" / "monitoring"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table of groups."""

    name: str
    order_id: int | None  # where the line is one order
    cells: Sequence[Cell]
    whole: bool = False

    @property
    def drawn(self) -> SafeString:
        """Its cells, escaped: of 200 orders there are thousands, and a template or format_html
        takes ten times as long for each."""
        return mark_safe("".join(map(_drawn, self.cells)))  # noqa: S308


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    drawing: str


def context(found: Report) -> Mapping[str, Any]:
    """What `monitoring/tca/report.html` needs."""
    return {
        "report": found,
        "by_title": BY[found.by],
        "by_words": _words(found.by),
        "columns": COLUMNS,
        "lines": _lines(found, COLUMNS),
        "causes": SHORTFALL,
        "cause_lines": _lines(found, SHORTFALL) if found.total.of("shortfall").orders else [],
        "charts": _charts(found),
        "headline": _headline(found.total),
        "ways": [(name, _way(way)) for name, way in found.replayed.ways.items()],
        "pairs": [
            (f"{one} - {other}", pair.orders, difference(pair), words_of(pair, one))
            for (one, other), pair in found.replayed.pairs.items()
        ],
        "replay_error": found.replayed.error and difference(found.replayed.error),
    }


def text(found: Report, *, at: datetime) -> str:
    """One file of its own: no script, nothing from elsewhere, fit for paper."""
    style = "".join((_STYLES / name).read_text() for name in ("tca_file.css", "tca.css"))
    values = {**context(found), "at": exchange_time(at), "style": mark_safe(style)}  # noqa: S308
    return render_to_string("monitoring/tca/file.html", values)


def _drawn(cell: Cell) -> str:
    sign = {"+": " ds-cost", "-": " ds-gain"}.get(cell.sign, "")
    more = f" <small>{escape(cell.more)}</small>" if cell.more else ""
    return f'<td class="ds-right{sign}">{escape(cell.text)}{more}</td>'


def _way(way: Difference) -> Sequence[Cell]:
    filled = figures.NOT_KNOWN if way.filled is None else f"{way.filled:.0%}"
    return [Cell(f"{way.orders:,}"), Cell(filled), difference(way)]


def _lines(found: Report, columns: Sequence[Column]) -> Sequence[Line]:
    groups = [
        Line(
            name or "none", _order_id(name) if found.by == "order" else None, _cells(group, columns)
        )
        for name, group in found.groups
    ]
    return [*groups, Line("All", None, _cells(found.total, columns), whole=True)]


def _words(by: str) -> str:
    """The grouping within a sentence: ET keeps its capitals."""
    return BY[by][0].lower() + BY[by][1:]


def _order_id(name: str) -> int:
    """From `123 BUY AAPL`."""
    return int(name.partition(" ")[0])


def _cells(group: Group, columns: Sequence[Column]) -> Sequence[Cell]:
    return [column.cell(group) for column in columns]


def _charts(found: Report) -> Sequence[Chart]:
    drawn = [Chart("How the cost is spread over orders", charts.distribution(found.total))]
    if found.total.of("shortfall").orders:
        drawn.append(Chart("Implementation shortfall by cause", charts.parts(found.total)))
    if len(found.groups) > 1 and found.by not in ("day", "order"):
        title = f"Cost and estimate by {_words(found.by)}"
        drawn.append(Chart(title, charts.by_group(found.groups)))
    if len(found.days) > 1:
        drawn.append(Chart("Cost by day", charts.by_day(found.days)))
    return drawn if found.total.executed else []


def _headline(total: Group) -> Sequence[tuple[str, Cell, str, str]]:
    """Title, figure, its unit and what stands below it."""
    bps = {
        "Against arrival": ("arrival", f"n = {total.of('arrival').orders:,}"),
        "Estimated": ("estimated", "before the orders"),
        "Against VWAP": ("vwap", f"n = {total.of('vwap').orders:,}"),
        "Shortfall": ("shortfall", _shortfall_money(total)),
    }
    share = figures.measured("participation", total)
    return [
        ("Executed", Cell(figures.money(total.value)), "", counted(total.executed, "order")),
        *((title, *_with_unit(name, total), below) for title, (name, below) in bps.items()),
        ("Participation", share, "", "of the market's volume"),
    ]


def _with_unit(measure: str, total: Group) -> tuple[Cell, str]:
    cell = figures.measured(measure, total)
    return cell, "" if cell.text == figures.NOT_KNOWN else "bps"


def _shortfall_money(total: Group) -> str:
    shortfall = total.of("shortfall")
    return f"{figures.money(shortfall.cost)} of {counted(shortfall.orders, 'order')}"
