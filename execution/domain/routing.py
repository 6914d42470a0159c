"""Which algorithm works an order: by size and urgency, as the desk's rules say."""

from dataclasses import dataclass
from decimal import Decimal

from execution.domain.figures import beside


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
    notional: Decimal | None,
    regular_hours: bool,
    thresholds: Thresholds,
) -> Route:
    """The algorithm and, in a sentence, why. An explicit wish is never overridden. `notional` is
    None while no price is known."""
    if asked is not None:
        return Route(asked, "asked for")
    if not regular_hours:
        return Route("LIMIT", "outside regular hours only limit orders are sent")
    if urgency in ("HIGH", "IMMEDIATE"):
        return Route("MARKET", f"urgency {urgency}")
    if urgency == "LOW":
        return Route("LIMIT", "urgency LOW")
    if notional is None:
        return Route("TWAP", "its value is not known yet")
    bounds = (thresholds.small, thresholds.large)
    shown = beside(notional, *bounds, places=0)
    if shown != shown.to_integral_value():
        shown = beside(notional, *bounds)  # dollars, or dollars and cents
    size, small, large = f"${shown:,f}", _exact(thresholds.small), _exact(thresholds.large)
    if notional < thresholds.small:
        return Route("MARKET", f"{size} is below {small}")
    if notional <= thresholds.large:
        return Route("TWAP", f"{size} is within {small}-{large}")
    return Route("VWAP", f"{size} is above {large}")


def _exact(threshold: Decimal) -> str:
    whole = threshold == threshold.to_integral_value()
    return f"${threshold:,.0f}" if whole else f"${beside(threshold, threshold):,f}"
