"""Replayed costs as people read them."""

from monitoring.cost_report import figures
from monitoring.cost_report.figures import Cell
from monitoring.cost_report.replayed import Difference, Verdict

SIGNS = {Verdict.MORE: "+", Verdict.LESS: "-"}


def difference(found: Difference) -> Cell:
    """With its margin; it has a sign where it is told apart from nothing."""
    half = found.margin_bps
    more = "" if half is None else f"± {half:.1f}"
    return Cell(figures.signed(found.bps), more, SIGNS.get(found.verdict, ""))


def words_of(found: Difference, first: str) -> str:
    """Such as "TWAP costs less"."""
    return f"{first} {found.verdict}" if found.verdict in SIGNS else str(found.verdict)
