"""What the algorithms would have cost, replayed, as CSV."""

from collections.abc import Iterator, Sequence

from deepstack import csv_text
from monitoring.cost_report.replayed import Difference, Replayed

HEAD = (
    "algorithm",
    "against",
    "orders",
    "observations",
    "filled_percent",
    "bps",
    "margin_bps",
    "verdict",
)


def text(found: Replayed) -> str:
    return "".join(csv_text.line(row) for row in rows(found))


def rows(found: Replayed) -> Iterator[Sequence[object]]:
    """A line for the replayed cost of each algorithm, one for each pair (the first less the
    second), and one for what orders cost by their own algorithm, replayed less real."""
    yield HEAD
    for name, way in found.ways.items():
        yield name, "", *_figures(way, filled=True), ""
    for (one, other), pair in found.pairs.items():
        yield one, other, *_figures(pair), str(pair.verdict)
    if found.error is not None:
        error = found.error
        yield "own, replayed", "own, really", *_figures(error), str(error.verdict)


def _figures(found: Difference, *, filled: bool = False) -> Sequence[object]:
    return (
        found.orders,
        found.sums.orders,
        _rounded(found.filled and found.filled * 100) if filled else None,
        _rounded(found.bps),
        _rounded(found.margin_bps),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
