"""Checks that need only the order, its price and the market."""

from decimal import Decimal

from .base import Bounds, Denial, Facts


def quantity(facts: Facts, bounds: Bounds) -> Denial | None:
    if facts.size > bounds.max_quantity:
        return Denial("QUANTITY_EXCEEDS_MAX", {"max": bounds.max_quantity, "quantity": facts.size})
    return None


def notional(facts: Facts, bounds: Bounds) -> Denial | None:
    if facts.price is None:
        return Denial("PRICE_UNKNOWN", {"quantity": facts.size})
    value = facts.price * facts.size
    if value > bounds.max_notional:
        return Denial(
            "NOTIONAL_EXCEEDS_MAX", {"max": f"{bounds.max_notional:f}", "notional": f"{value:.2f}"}
        )
    return None


def adv_share(facts: Facts, bounds: Bounds) -> Denial | None:
    """Of the whole parent. The guide's orders may leave the volume out: then it is compared only
    where somebody has set a limit of this kind."""
    if facts.average_daily_volume is None:
        numbers = {"max": f"{bounds.max_adv_share:f}"}
        return Denial("ADV_UNKNOWN", numbers) if bounds.adv_required else None
    share = Decimal(facts.parent_quantity) / facts.average_daily_volume
    if share > bounds.max_adv_share:
        return Denial(
            "ADV_SHARE_EXCEEDS_MAX", {"max": f"{bounds.max_adv_share:f}", "share": f"{share:.4f}"}
        )
    return None


def symbol_halted(facts: Facts, bounds: Bounds) -> Denial | None:
    """What is sent in a halt would only wait at the venue, for a price that nobody knows."""
    if facts.halted_since is None:
        return None
    since = facts.halted_since.isoformat()
    return Denial("SYMBOL_HALTED", {"since": since, "reason": facts.halt_reason})


def quote_usable(facts: Facts, bounds: Bounds) -> Denial | None:
    if facts.bid is None or facts.ask is None or facts.quoted_at is None:
        return Denial("QUOTE_MISSING")
    age = (facts.now - facts.quoted_at).total_seconds()
    if age > bounds.max_quote_age:
        return Denial(
            "QUOTE_STALE", {"max_seconds": bounds.max_quote_age, "seconds": round(age, 3)}
        )
    if facts.bid > facts.ask or facts.bid <= 0:
        return Denial("QUOTE_CROSSED", {"bid": f"{facts.bid:f}", "ask": f"{facts.ask:f}"})
    spread = (facts.ask - facts.bid) / (facts.ask + facts.bid) * 20_000
    if spread > bounds.max_spread_bps:
        return Denial(
            "SPREAD_TOO_WIDE", {"max_bps": f"{bounds.max_spread_bps:f}", "bps": f"{spread:.1f}"}
        )
    return None


def collar(facts: Facts, bounds: Bounds) -> Denial | None:
    """The limit may not be further beyond the mid than the collar; a passive one may."""
    if facts.limit_price is None:
        return None
    if facts.bid is None or facts.ask is None:
        return Denial("QUOTE_MISSING")
    mid = (facts.bid + facts.ask) / 2
    beyond = facts.side_sign * (facts.limit_price / mid - 1)
    if beyond > bounds.collar:
        return Denial(
            "PRICE_OUTSIDE_COLLAR",
            {"max": f"{bounds.collar:f}", "beyond": f"{beyond:.4f}", "mid": f"{mid:f}"},
        )
    return None
