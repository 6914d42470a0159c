"""What a replay rests on, in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.models import OrderReplay

LIMITS = (
    "The tape is what others traded while the order was really worked, its own trades among them;"
    " fills and impact are the paper market's."
)


def assumptions(rows: Sequence[OrderReplay]) -> str:
    """Of the replays of one order; empty where none of them has figures."""
    known = next((row.assumes for row in rows if row.assumes), None)
    if known is None:
        return ""
    return (
        f"Replayed on {known['bars']:,} minutes of the tape, spread {known['spread_bps']:.1f} bps,"
        f" {known['displayed_shares']:,} shares displayed; {_impact(known)}. {LIMITS}"
    )


def problems(rows: Sequence[OrderReplay]) -> Sequence[str]:
    """One line for each reason, with the algorithms that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.problem:
            by_reason.setdefault(row.problem, []).append(row.algorithm)
    return [f"Not replayed: {', '.join(names)}: {why}." for why, names in by_reason.items()]


def _impact(known: Mapping[str, Any]) -> str:
    coefficient, volume = known["impact_coefficient"], known["daily_volume"]
    if not coefficient:
        return "without market impact (paper.impact.coefficient is 0)"
    if volume is None:
        return "without market impact, as the symbol's volume is not known"
    return (
        f"impact {coefficient:g} times the square-root law at {volume:,} shares and"
        f" {known['daily_volatility']:.1%} a day"
    )
