"""Checks against what the account has, does and may do."""

from execution.domain.figures import beside
from execution.domain.risk_checks.base import Bounds, Denial, Facts


def halted(facts: Facts, bounds: Bounds) -> Denial | None:
    """HALTED denies all; REDUCING what does not bring the position closer to zero."""
    for scope, state in facts.halts:
        if state != "REDUCING":
            return Denial("TRADING_HALTED", {"scope": scope, "state": state})
    return _reducing(facts) if facts.halts else None


def _reducing(facts: Facts) -> Denial | None:
    scope = facts.halts[0][0]
    position, pending = facts.exposure.position, facts.exposure.pending
    if position is None or pending is None:
        return Denial("POSITION_UNKNOWN", {"scope": scope}, waits=True)
    if facts.quantity + pending > -facts.side_sign * position:
        return Denial(
            "REDUCING_ONLY",
            {
                "scope": scope,
                "position": position,
                "pending": pending,
                "quantity": facts.side_sign * facts.quantity,
            },
        )
    return None


def restricted(facts: Facts, bounds: Bounds) -> Denial | None:
    reason = facts.exposure.restricted
    return None if reason is None else Denial("SYMBOL_RESTRICTED", {"reason": reason})


def position_break(facts: Facts, bounds: Bounds) -> Denial | None:
    """The broker has other shares of the symbol than we can explain: what would be traded on top
    may have been traded already."""
    if facts.exposure.broken is None:
        return None
    ours, theirs = facts.exposure.broken
    return Denial("POSITION_BREAK", {"ours": ours, "theirs": theirs}, waits=True)


def position(facts: Facts, bounds: Bounds) -> Denial | None:
    """The position once all of the symbol's live parents on this side are done, this order
    included. What brings it closer to zero always passes."""
    if bounds.max_position is None:
        return None
    held, pending = facts.exposure.position, facts.exposure.pending
    if held is None or pending is None:
        return Denial("POSITION_UNKNOWN", {"max": bounds.max_position}, waits=True)
    worst = held + facts.side_sign * (pending + facts.quantity)
    if facts.side_sign * worst > bounds.max_position:
        return Denial(
            "POSITION_EXCEEDS_MAX",
            {"max": bounds.max_position, "position": held, "pending": pending, "worst": worst},
        )
    return None


def opposite(facts: Facts, bounds: Bounds) -> Denial | None:
    """An own order that works on the other side at a price that ours would trade with. A parent
    without a limit of its own is compared child by child."""
    other, limit = facts.exposure.opposing, facts.limit_price
    if other is None or limit is None or facts.side_sign * (limit - other) < 0:
        return None
    return Denial("OPPOSITE_ORDER_WORKING", {"limit": f"{limit:f}", "opposite_limit": f"{other:f}"})


def duplicate(facts: Facts, bounds: Bounds) -> Denial | None:
    if bounds.duplicate_seconds <= 0 or facts.exposure.duplicate_of is None:
        return None
    return Denial(
        "DUPLICATE_ORDER",
        {"seconds": bounds.duplicate_seconds, "order": facts.exposure.duplicate_of},
    )


def open_orders(facts: Facts, bounds: Bounds) -> Denial | None:
    """The first come go on when the limit is lowered below what is open."""
    if bounds.max_open_orders is None:
        return None
    count = facts.exposure.open_orders
    if count is None:
        return Denial("OPEN_ORDERS_UNKNOWN", {"max": bounds.max_open_orders})
    if count > bounds.max_open_orders:
        return Denial(
            "OPEN_ORDERS_EXCEED_MAX", {"max": bounds.max_open_orders, "open_orders": count}
        )
    return None


def repeated(facts: Facts, bounds: Bounds) -> Denial | None:
    """A strategy that runs away. The caller halts it: only a named person lets it go on."""
    if bounds.max_orders_per_minute is None:
        return None
    count = facts.exposure.recent_orders
    if count is None:
        return Denial("ORDER_RATE_UNKNOWN", {"max": bounds.max_orders_per_minute})
    if count > bounds.max_orders_per_minute:
        return Denial("REPEATED_EXECUTION", {"max": bounds.max_orders_per_minute, "orders": count})
    return None


def messages(facts: Facts, bounds: Bounds) -> Denial | None:
    if bounds.max_messages_per_minute is None:
        return None
    count = facts.exposure.recent_messages
    if count is None:
        return Denial("MESSAGE_RATE_UNKNOWN", {"max": bounds.max_messages_per_minute})
    if count >= bounds.max_messages_per_minute:
        return Denial(
            "MESSAGE_RATE_EXCEEDED", {"max": bounds.max_messages_per_minute, "messages": count}
        )
    return None


def daily_loss(facts: Facts, bounds: Bounds) -> Denial | None:
    if bounds.max_daily_loss is None:
        return None
    result = facts.exposure.day_result
    if result is None:
        return Denial("DAILY_LOSS_UNKNOWN", {"max": f"{bounds.max_daily_loss:f}"}, waits=True)
    if -result > bounds.max_daily_loss:
        shown = beside(-result, bounds.max_daily_loss)
        return Denial("DAILY_LOSS", {"max": f"{bounds.max_daily_loss:f}", "loss": f"{shown:f}"})
    return None


def buying_power(facts: Facts, bounds: Bounds) -> Denial | None:
    """For buys; what a sale may end in is bounded by the position."""
    if not bounds.within_buying_power or facts.side_sign < 0 or facts.price is None:
        return None
    unspent, notional = facts.exposure.unspent, facts.quantity * facts.price
    if unspent is None:
        return Denial("BUYING_POWER_UNKNOWN", {"notional": f"{notional:.2f}"}, waits=True)
    if notional > unspent:
        shown = beside(notional, unspent)
        return Denial("BUYING_POWER", {"left": f"{unspent:f}", "notional": f"{shown:f}"})
    return None


def heat(facts: Facts, bounds: Bounds) -> Denial | None:
    """What does not make the portfolio hotter always passes."""
    if bounds.max_portfolio_heat is None:
        return None
    numbers = {"max": f"{bounds.max_portfolio_heat:f}"}
    known = facts.exposure.heat
    if known is None:  # without equity it stays so
        return Denial("HEAT_UNKNOWN", numbers, waits=bool(bounds.equity))
    if known.after > max(bounds.max_portfolio_heat, known.before):
        before = beside(known.before, bounds.max_portfolio_heat, known.after, places=6)
        after = beside(known.after, bounds.max_portfolio_heat, before, places=6)
        return Denial(
            "HEAT_EXCEEDS_MAX", numbers | {"before": f"{before:f}", "after": f"{after:f}"}
        )
    return None
