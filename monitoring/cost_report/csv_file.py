"""The groups of a report as CSV: every measure, unrounded enough to compute with."""

from collections.abc import Iterator, Sequence

from deepstack import csv_text
from monitoring.cost_report import figures
from monitoring.cost_report.groups import Group
from monitoring.cost_report.measures import MEASURES, Unit
from monitoring.cost_report.report import Report

COUNTS = ("orders", "executed", "preliminary", "ordered", "shares", "value", "commission")


def text(found: Report) -> str:
    return "".join(csv_text.line(row) for row in rows(found))


def rows(found: Report) -> Iterator[Sequence[object]]:
    """A head, a row for each group and one of them all.

    Of each measure: its mean in bps or per cent, half of its 95 % interval, the orders of which
    it is known, and the cost in money.
    """
    yield [found.by, *COUNTS, "median_bps", *(name for each in MEASURES for name in _names(each))]
    for name, group in [*found.groups, ("all", found.total)]:
        yield [name, *_values(group)]


def _names(measure: str) -> Sequence[str]:
    if MEASURES[measure].unit is Unit.PERCENT:
        return [f"{measure}_percent", f"{measure}_orders"]
    unit = [f"{measure}_bps", f"{measure}_orders", f"{measure}_cost"]
    return [*unit, f"{measure}_margin_bps"] if MEASURES[measure].interval else unit


def _values(group: Group) -> Iterator[object]:
    for name in COUNTS:
        yield getattr(group, name)
    yield group.median_bps
    for name, measure in MEASURES.items():
        sums = group.of(name)
        yield _rounded(figures.mean(name, group))
        yield sums.orders
        if measure.unit is Unit.BPS:
            yield sums.cost if sums.orders else None
            if measure.interval:
                yield _rounded(figures.margin(name, group))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
