"""The price grid, and the limit prices of child orders on it."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

BPS = Decimal(10_000)
CENT, SMALL_TICK = Decimal("0.01"), Decimal("0.0001")


def tick(price: Decimal, coarser: Decimal | None = None) -> Decimal:
    """The smallest price step of US stocks: a cent from one dollar up, 0.0001 below (Rule 612).

    `coarser`: the contract's own smallest step, where the broker has one; one of up to a cent is
    what brokers report of contracts that trade in both steps, and says nothing new."""
    if coarser is not None and coarser > CENT:
        return coarser
    return CENT if price >= 1 else SMALL_TICK


def on_grid(price: Decimal, coarser: Decimal | None = None) -> bool:
    return price % tick(price, coarser) == 0


def round_away(price: Decimal, side_sign: int, coarser: Decimal | None = None) -> Decimal:
    """To the tick, never more aggressive: a buy is rounded down, a sell up. A buy below the
    smallest step becomes zero, which is no price."""
    return _rounded(price, ROUND_FLOOR if side_sign > 0 else ROUND_CEILING, coarser)


def nearest(price: Decimal) -> Decimal:
    """The closest price on the grid: for prices of a market, never for a limit."""
    return _rounded(price, ROUND_HALF_EVEN)


def _rounded(price: Decimal, rounding: str, coarser: Decimal | None = None) -> Decimal:
    step = tick(price, coarser)
    rounded = (price / step).to_integral_value(rounding) * step
    # 0.99995 rounded up is a dollar, and from there on prices are in cents.
    return rounded.quantize(tick(rounded, coarser))


def marketable_limit(
    *,
    side_sign: int,
    far_touch: Decimal,
    tolerance_bps: Decimal,
    reference: Decimal,
    collar: Decimal,
    parent_limit: Decimal | None,
) -> Decimal:
    """The price a child may pay: the far touch plus a tolerance, within the collar around the
    reference and never beyond the parent's own limit."""
    price = far_touch * (1 + side_sign * tolerance_bps / BPS)
    bounds = [price, reference * (1 + side_sign * collar)]
    if parent_limit is not None:
        bounds.append(parent_limit)
    return round_away(min(bounds) if side_sign > 0 else max(bounds), side_sign)


def protective_limit(
    *, side_sign: int, reference: Decimal, collar: Decimal, parent_limit: Decimal | None
) -> Decimal:
    """The worst price of what somebody else works over time: the parent's own limit, and never
    beyond the collar around the reference."""
    edge = reference * (1 + side_sign * collar)
    return round_away(stricter(side_sign, edge, parent_limit) or edge, side_sign)


def is_good(*, side_sign: int, far_touch: Decimal, would_price: Decimal) -> bool:
    """Whether the far touch is at the would price or better."""
    return side_sign * (far_touch - would_price) <= 0


def stricter(side_sign: int, *limits: Decimal | None) -> Decimal | None:
    """The least aggressive of the limits: the lowest for a buy, the highest for a sell; None
    without any."""
    known = [limit for limit in limits if limit is not None]
    if not known:
        return None
    return min(known) if side_sign > 0 else max(known)
