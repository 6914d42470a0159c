"""What a share of an order is worth, for whoever bounds or chooses by value."""

from decimal import Decimal

from execution.domain.risk_checks.base import Bounds, Facts
from execution.domain.risk_checks.order import market_is_known, off_market


def worth(facts: Facts, bounds: Bounds) -> Decimal | None:
    """The highest of the decision price, the market's price and the limit; None where there is none
    of the three.

    A decision price that is outside its collar is left out: the market's counts.
    """
    decision = facts.decision_price
    if decision is not None and market_is_known(facts, bounds):
        decision = None if off_market(facts) > bounds.decision_collar else decision
    known = (decision, _market(facts, bounds), facts.limit_price, facts.protective_price)
    return max((price for price in known if price is not None), default=None)


def _market(facts: Facts, bounds: Bounds) -> Decimal | None:
    """The touch that the order would trade at, of a crossed market the higher side. A quote that is
    too old says the last price that is known; one that is too wide says none."""
    bid, ask = facts.bid, facts.ask
    if bid is None or ask is None or bid <= 0 or ask <= 0:
        return None
    if abs(ask - bid) / (ask + bid) * 20_000 > bounds.max_spread_bps:
        return None
    if bid > ask:
        return bid
    return ask if facts.side_sign > 0 else bid
