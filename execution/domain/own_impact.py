"""How far the paper orders of a day move the price that the next one pays.

    temporary = Y * sigma * sqrt(P / V)      against the side that presses
    permanent = Y * sigma * N / V            the same for both sides

in parts of the price. P: shares that paper orders have executed on that side, each worth half as
much after every half-life; half of the own order counts with them, which is its average. N: shares
bought less shares sold since the day began. V: average daily volume; sigma: daily volatility, a
fraction; Y: the coefficient, of order 1.

The temporary part is the square-root law that meta-orders are measured to follow (Toth and others
2011). The permanent part is linear, as any other would let a round trip earn (Huberman and Stanzl
2004): what a purchase leaves behind, its sale takes back, and both have paid the temporary part.
Overnight all is forgotten: a chosen shortcut, a tape of several days keeps its own prices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

from execution.domain.limit_prices import round_away

Shifts = Mapping[str, Decimal]  # of the touch that an order of each side takes, in parts of itself
UNMOVED: Shifts = {}


@dataclass(frozen=True, slots=True)
class Flow:
    """Shares of a day: `bought` and `sold` as they have decayed, `net` bought less sold in full."""

    bought: float = 0.0
    sold: float = 0.0
    net: int = 0


@dataclass(frozen=True, slots=True)
class Liquidity:
    """Of a symbol: shares of an average day, and the daily volatility as a fraction."""

    daily_volume: float
    daily_volatility: float


def shift(
    side: str, flow: Flow, known: Liquidity, *, coefficient: float, quantity: int = 0
) -> float:
    """By which part of itself the touch that a `side` order of `quantity` takes has moved; above 0
    is up. 0 without a coefficient."""
    scale = coefficient * known.daily_volatility
    pressing, sign = (flow.bought, 1) if side == "BUY" else (flow.sold, -1)
    temporary = sqrt((pressing + quantity / 2) / known.daily_volume)
    return scale * (flow.net / known.daily_volume + sign * temporary)


def moved(price: Decimal, side: str, shifts: Shifts) -> Decimal:
    """The price that an order of the side meets, rounded against it to the tick."""
    if not shifts:
        return price
    return round_away(price * (1 + shifts[side]), -1 if side == "BUY" else 1)
