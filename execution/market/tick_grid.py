"""The best bid and offer around a mid price, on the exchange's price grid."""

from decimal import Decimal

from execution.domain.limit_prices import SMALL_TICK, nearest, tick


def touch_around(mid: float, spread_bps: float) -> tuple[Decimal, Decimal]:
    """Bid and ask, `spread_bps` of the mid apart on average and at least one tick.

    Both grow with the mid, so that the touches of any path lie between those of its extremes.
    """
    half = spread_bps / 20_000
    bid = max(nearest(Decimal(mid * (1 - half))), SMALL_TICK)
    return bid, max(nearest(Decimal(mid * (1 + half))), bid + tick(bid))
