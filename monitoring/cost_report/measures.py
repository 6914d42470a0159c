"""What is measured of an order: a cost and its basis. To add one, add its line to MEASURES.

The SQL reads the columns of FACTS (`day_groups.py`): `s` is +1 for a buy and -1 for a sell,
`shares` and `value` are what was executed, `mid` the mid at arrival. An order of which a part is
not known (null) or whose basis is not above zero does not count in that measure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    BPS = "bps"
    PERCENT = "%"


@dataclass(frozen=True, slots=True)
class Measure:
    """`title` heads a column; `meaning` says what + means.

    `interval`: the sums of its squares are kept too, so that its standard error is known.
    """

    title: str
    meaning: str
    cost: str
    basis: str
    unit: Unit = Unit.BPS
    interval: bool = False


def _against(title: str, price: str, meaning: str, *, interval: bool = False) -> Measure:
    """Executed shares at our prices against the same shares at a benchmark price."""
    basis = f"shares * {price}"
    return Measure(title, meaning, f"s * (value - {basis})", basis, interval=interval)


def _stored(title: str, column: str, meaning: str, *, interval: bool = False) -> Measure:
    """Against a price that only the analysis knows, by what it says: s * (our price / it - 1)."""
    basis = f"round(value / (1 + s * {column} / 10000), 6)"
    return Measure(title, meaning, f"s * (value - {basis})", basis, interval=interval)


def _part(title: str, column: str, meaning: str) -> Measure:
    return Measure(title, meaning, column, "CASE WHEN delay IS NOT NULL THEN paper_value END")


_ESTIMATED = "shares * mid * estimated_bps / 10000"

MEASURES: Mapping[str, Measure] = {
    "arrival": _against("Arrival", "mid", "against the mid at arrival", interval=True),
    "estimated": Measure(
        "Estimated", "as estimated before the order", _ESTIMATED,
        "CASE WHEN estimated_bps IS NOT NULL THEN shares * mid END",
    ),
    "beyond_estimate": Measure(
        "vs estimate", "cost against arrival, less the estimate",
        f"s * (value - shares * mid) - {_ESTIMATED}", "shares * mid", interval=True,
    ),
    "vwap": _against("VWAP", "vwap", "against the market's VWAP of the window", interval=True),
    "twap": _against("TWAP", "twap", "against the market's TWAP of the window", interval=True),
    "pwp": _against("PWP 20 %", "pwp", "against the VWAP of the first 5 x executed shares"),
    "pwp10": _stored("PWP 10 %", "pwp10_bps", "against the VWAP of the first 10 x executed shares"),
    "pwp5": _stored("PWP 5 %", "pwp5_bps", "against the VWAP of the first 20 x executed shares"),
    "open": _stored("Open", "open_bps", "against the first trade of the regular session"),
    "close": _stored(
        "Close", "close_bps", "against the last trade of the regular session", interval=True
    ),
    "shortfall": Measure(
        "Shortfall", "implementation shortfall over the value at the decision price",
        "delay + trading + opportunity + fees", "paper_value", interval=True,
    ),
    "delay": _part("Delay", "delay", "from the decision to arrival"),
    "trading": _part("Trading", "trading", "from arrival to our executions: impact and timing"),
    "opportunity": _part("Opportunity", "opportunity", "of shares that were not executed"),
    "fees": _part("Fees", "fees", "commissions"),
    "reversion": Measure(
        "Reversion", "of the price within five minutes after the end; + came back",
        "value * reversion_bps / 10000", "CASE WHEN reversion_bps IS NOT NULL THEN value END",
    ),
    "late_reversion": Measure(
        "Late reversion", "of the price within thirty minutes after the end; + came back",
        "value * late_reversion_bps / 10000",
        "CASE WHEN late_reversion_bps IS NOT NULL THEN value END",
    ),
    "spread_capture": Measure(
        "Spread kept", "of the quoted spread: 100 % at the near touch, 0 % at the far one",
        "value * spread_capture", "CASE WHEN spread_capture IS NOT NULL THEN value END",
        Unit.PERCENT,
    ),
    "participation": Measure(
        "Participation", "executed shares over the market's volume of the window",
        "shares", "market_volume", Unit.PERCENT,
    ),
}  # fmt: skip
# By which orders are ranked and the median is computed.
MAIN = "arrival"
PARTS = ("delay", "trading", "opportunity", "fees")
