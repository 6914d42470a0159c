"""The best bid and offer around a mid price, on the exchange's price grid."""

from decimal import Decimal

TICK = Decimal("0.01")  # of US stocks from one dollar upwards
SMALL_TICK = Decimal("0.0001")  # below one dollar
TICKS_PER_DOLLAR = 100


def touch_around(mid: float, spread_bps: float) -> tuple[int, int]:
    """Bid and ask in ticks, `spread_bps` of the mid apart on average and at least one tick.

    Both grow with the mid, so that the touches of any path lie between those of its extremes.
    """
    half = spread_bps / 20_000
    bid = max(round(mid * (1 - half) * TICKS_PER_DOLLAR), 1)
    return bid, max(round(mid * (1 + half) * TICKS_PER_DOLLAR), bid + 1)


def price_of(ticks: int) -> Decimal:
    return Decimal(ticks).scaleb(-2)
