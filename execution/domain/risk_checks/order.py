"""Checks that need only the order, its price and the market."""

from datetime import datetime
from decimal import Decimal

from execution.domain.figures import beside
from execution.domain.risk_checks.base import Bounds, Denial, Facts


def quantity(facts: Facts, bounds: Bounds) -> Denial | None:
    if facts.size > bounds.max_quantity:
        return Denial("QUANTITY_EXCEEDS_MAX", {"max": bounds.max_quantity, "quantity": facts.size})
    return None


def notional(facts: Facts, bounds: Bounds) -> Denial | None:
    if facts.price is None:
        return Denial("PRICE_UNKNOWN", {"quantity": facts.size}, waits=True)
    value = facts.price * facts.size
    if value > bounds.max_notional:
        shown = beside(value, bounds.max_notional)
        numbers = {"max": f"{bounds.max_notional:f}", "notional": f"{shown:f}"}
        return Denial("NOTIONAL_EXCEEDS_MAX", numbers)
    return None


def adv_share(facts: Facts, bounds: Bounds) -> Denial | None:
    """Of the whole parent. The guide's orders may leave the volume out: then it is compared only
    where somebody has set a limit of this kind."""
    if facts.average_daily_volume is None:
        numbers = {"max": f"{bounds.max_adv_share:f}"}
        return Denial("ADV_UNKNOWN", numbers) if bounds.adv_required else None
    share = Decimal(facts.parent_quantity) / facts.average_daily_volume
    if share > bounds.max_adv_share:
        shown = beside(share, bounds.max_adv_share, places=4)
        numbers = {"max": f"{bounds.max_adv_share:f}", "share": f"{shown:f}"}
        return Denial("ADV_SHARE_EXCEEDS_MAX", numbers)
    return None


def market_is_known(facts: Facts, bounds: Bounds) -> bool:
    """Whether the quote is a fact to go by: a usable one, of a symbol that trades."""
    return facts.halted_since is None and quote_usable(facts, bounds) is None


def off_market(facts: Facts) -> Decimal:
    """How far the decision price lies outside bid and ask, as a share of the nearer of them."""
    decision, bid, ask = facts.decision_price, facts.bid, facts.ask
    if decision is None or bid is None or ask is None:
        return Decimal(0)
    return max(decision / ask - 1, 1 - decision / bid, Decimal(0))


def decision_price(facts: Facts, bounds: Bounds) -> Denial | None:
    """Compared once: with the first market that is known. Until then the order waits."""
    decision, off = facts.decision_price, off_market(facts)
    if decision is None or not market_is_known(facts, bounds) or off <= bounds.decision_collar:
        return None
    return Denial(
        "DECISION_PRICE_OFF_MARKET",
        {
            "max": f"{bounds.decision_collar:f}",
            "off": f"{beside(off, bounds.decision_collar, places=4):f}",
            "decision_price": f"{decision.normalize():f}",
            "bid": f"{facts.bid:f}",
            "ask": f"{facts.ask:f}",
        },
    )


def would_price(facts: Facts, bounds: Bounds) -> Denial | None:
    """Beyond the market on the side that has all the shares taken at once; on the other side it
    waits, which is what it is for. Compared once, as the decision price is."""
    would, far = facts.would_price, facts.ask if facts.side_sign > 0 else facts.bid
    if would is None or far is None or not market_is_known(facts, bounds):
        return None
    off = facts.side_sign * (would / far - 1)
    if off <= bounds.decision_collar:
        return None
    return Denial(
        "WOULD_PRICE_OFF_MARKET",
        {
            "max": f"{bounds.decision_collar:f}",
            "off": f"{beside(off, bounds.decision_collar, places=4):f}",
            "would_price": f"{would.normalize():f}",
            "bid": f"{facts.bid:f}",
            "ask": f"{facts.ask:f}",
        },
    )


def symbol_halted(facts: Facts, bounds: Bounds) -> Denial | None:
    """What is sent in a halt would only wait at the venue, for a price that nobody knows."""
    if facts.halted_since is None:
        return None
    return halted_by_exchange(facts.halted_since, facts.halt_reason)


def halted_by_exchange(since: datetime, reason: str) -> Denial:
    return Denial("SYMBOL_HALTED", {"since": since.isoformat(), "reason": reason})


def quote_usable(facts: Facts, bounds: Bounds) -> Denial | None:
    if facts.bid is None or facts.ask is None or facts.quoted_at is None:
        return Denial("QUOTE_MISSING")
    age = (facts.now - facts.quoted_at).total_seconds()
    if age > bounds.max_quote_age:
        shown = beside(Decimal(str(age)), Decimal(str(bounds.max_quote_age)), places=3)
        return Denial("QUOTE_STALE", {"max_seconds": bounds.max_quote_age, "seconds": float(shown)})
    if facts.bid > facts.ask or facts.bid <= 0:
        return Denial("QUOTE_CROSSED", {"bid": f"{facts.bid:f}", "ask": f"{facts.ask:f}"})
    spread = (facts.ask - facts.bid) / (facts.ask + facts.bid) * 20_000
    if spread > bounds.max_spread_bps:
        shown = beside(spread, bounds.max_spread_bps, places=1)
        numbers = {"max_bps": f"{bounds.max_spread_bps:f}", "bps": f"{shown:f}"}
        return Denial("SPREAD_TOO_WIDE", numbers)
    return None


def collar(facts: Facts, bounds: Bounds) -> Denial | None:
    """The limit may not be further beyond the mid than the collar; a passive one may."""
    if facts.limit_price is None:
        return None
    if facts.bid is None or facts.ask is None or facts.bid + facts.ask <= 0:
        return Denial("QUOTE_MISSING", waits=True)
    mid = (facts.bid + facts.ask) / 2
    beyond = facts.side_sign * (facts.limit_price / mid - 1)
    if beyond > bounds.collar:
        return Denial(
            "PRICE_OUTSIDE_COLLAR",
            {
                "max": f"{bounds.collar:f}",
                "beyond": f"{beside(beyond, bounds.collar, places=4):f}",
                "mid": f"{mid:f}",
            },
            waits=not market_is_known(facts, bounds),
        )
    return None
