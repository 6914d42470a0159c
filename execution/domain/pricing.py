"""Limit prices of child orders."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

BPS = Decimal(10_000)


def tick(price: Decimal) -> Decimal:
    """The smallest price step of US stocks: a cent from one dollar up, 0.0001 below (Rule 612)."""
    return Decimal("0.01") if price >= 1 else Decimal("0.0001")


def round_away(price: Decimal, side_sign: int) -> Decimal:
    """To the tick, never more aggressive: a buy is rounded down, a sell up."""
    return price.quantize(tick(price), ROUND_FLOOR if side_sign > 0 else ROUND_CEILING)


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
