"""The list of baskets as CSV: money in dollars, times in UTC; + is a cost, empty is not known."""

from collections.abc import Sequence

from deepstack import csv_text
from monitoring.baskets.figures import Basket

COLUMNS = (
    "name",
    "orders",
    "live",
    "paused",
    "filled",
    "denied",
    "target",
    "value",
    "bought",
    "sold",
    "commission",
    "slippage_bps",
    "estimated_bps",
    "shortfall",
    "shortfall_bps",
    "analysed",
    "created_at",
    "submitted_by",
)


def text(baskets: Sequence[Basket]) -> str:
    rows = ([getattr(each, name) for name in COLUMNS] for each in baskets)
    return "".join(csv_text.line(row) for row in (COLUMNS, *rows))
