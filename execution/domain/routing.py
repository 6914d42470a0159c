"""Which algorithm works an order: by size and urgency, as the desk's rules say."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Thresholds:
    """In currency: below `small` an order is small, above `large` it is large."""

    small: Decimal
    large: Decimal


@dataclass(frozen=True, slots=True)
class Route:
    algorithm: str
    reason: str


def choose(
    *,
    asked: str | None,
    urgency: str,
    notional: Decimal,
    regular_hours: bool,
    thresholds: Thresholds,
) -> Route:
    """The algorithm and, in a sentence, why. An explicit wish is never overridden."""
    if asked is not None:
        return Route(asked, "asked for")
    if not regular_hours:
        return Route("LIMIT", "outside regular hours only limit orders are sent")
    if urgency in ("HIGH", "IMMEDIATE"):
        return Route("MARKET", f"urgency {urgency}")
    if urgency == "LOW":
        return Route("LIMIT", "urgency LOW")
    size = f"${notional:,.0f}"
    if notional < thresholds.small:
        return Route("MARKET", f"{size} is below ${thresholds.small:,.0f}")
    if notional <= thresholds.large:
        return Route("TWAP", f"{size} is within ${thresholds.small:,.0f}-${thresholds.large:,.0f}")
    return Route("VWAP", f"{size} is above ${thresholds.large:,.0f}")
