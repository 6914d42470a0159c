"""Which algorithm works an order: by size and urgency, or by what each is expected to cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from execution.domain.algorithm_comparison import Alternative
from execution.domain.costs import Basis
from execution.domain.figures import beside
from execution.domain.session import Session

# The deployment guide's best practices: VWAP from 9:30 to 10:00 and from 15:00 on, TWAP from 11:00
# to 14:00, measured from the open and the close.
_OPENING, _CLOSING = timedelta(minutes=30), timedelta(minutes=60)
_MIDDAY = timedelta(minutes=90), timedelta(minutes=270)

IF_FILLED = "the cost of LIMIT is that of its own price, if the market comes to it"
NO_VOLUME = (
    "the symbol's daily volume is not known: each way shows the spread alone, and none can be"
    " called cheaper; give average_daily_volume, or run manage.py learn_profiles"
)


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
    """The algorithm and, in a sentence, why. An explicit choice is never overridden. `notional` is
    None while no price is known."""
    return settled(asked=asked, urgency=urgency, regular_hours=regular_hours) or by_size(
        notional, thresholds
    )


def settled(*, asked: str | None, urgency: str, regular_hours: bool) -> Route | None:
    """What the signal's own words and the hour leave no choice about."""
    if asked is not None:
        return Route(asked, "asked for")
    if not regular_hours:
        return Route("LIMIT", "outside regular hours only limit orders are sent")
    if urgency in ("HIGH", "IMMEDIATE"):
        return Route("MARKET", f"urgency {urgency}")
    if urgency == "LOW":
        return Route("LIMIT", "urgency LOW")
    return None


def by_size(notional: Decimal | None, thresholds: Thresholds) -> Route:
    """The guide's rule."""
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


def by_cost(ways: Iterable[Alternative], risk_weight: float) -> Route | None:
    """The way that costs least: the expected cost and `risk_weight` times the deviation that the
    price's own moves may give it. Compared are those that can be done in their window and do not
    wait for the market to come; None where volume or volatility is not known."""
    known = [
        (way.cost_bps + risk_weight * way.deviation_bps, way)
        for way in ways
        if way.feasible and way.deviation_bps is not None and way.basis != Basis.IF_FILLED
    ]
    if not known:
        return None
    _, best = min(known, key=lambda each: each[0])
    return Route(
        best.algorithm,
        f"the cheapest of {len(known)} ways: {best.cost_bps:.1f} bps expected,"
        f" and {risk_weight:g} times {best.deviation_bps:.1f} bps by which the price may move",
    )


def advice(session: Session, start: datetime) -> str:
    """The guide's best practice for the time of day at which an order starts; empty for none."""
    if session.always or not session.is_regular(start):
        return ""
    since, left = start - session.open, session.close - start
    if since < _OPENING:
        return "volume is high after the open: VWAP goes along with it"
    if left <= _CLOSING:
        return "volume is high before the close: VWAP goes along with it"
    if _MIDDAY[0] <= since < _MIDDAY[1]:
        return "volume is low and even at midday: TWAP serves"
    return ""


def _exact(threshold: Decimal) -> str:
    whole = threshold == threshold.to_integral_value()
    return f"${threshold:,.0f}" if whole else f"${beside(threshold, threshold):,f}"
