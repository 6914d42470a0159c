"""Pre-trade checks: pure, closed on missing data, each denial with a stable code and its numbers.

To add one: write a function, add its line to the tables it belongs to, describe its codes in
`codes.py`.
"""

from collections.abc import Iterable

from execution.domain.risk_checks.account import (
    buying_power,
    daily_loss,
    duplicate,
    halted,
    heat,
    messages,
    open_orders,
    opposite,
    position,
    position_break,
    repeated,
    restricted,
)
from execution.domain.risk_checks.base import Bounds, Check, Denial, Exposure, Facts, Heat
from execution.domain.risk_checks.codes import CODES
from execution.domain.risk_checks.order import (
    adv_share,
    collar,
    decision_price,
    halted_by_exchange,
    market_is_known,
    notional,
    quantity,
    quote_usable,
    symbol_halted,
    would_price,
)
from execution.domain.risk_checks.order_value import worth

__all__ = [
    "CHILD_CHECKS",
    "CODES",
    "LAST_CHECKS",
    "PARENT_CHECKS",
    "PASSING",
    "RESEND_CHECKS",
    "Bounds",
    "Check",
    "Denial",
    "Exposure",
    "Facts",
    "Heat",
    "adv_share",
    "buying_power",
    "collar",
    "daily_loss",
    "decision_price",
    "duplicate",
    "first_denial",
    "first_fact",
    "halted",
    "halted_by_exchange",
    "heat",
    "market_is_known",
    "messages",
    "notional",
    "open_orders",
    "opposite",
    "position",
    "position_break",
    "quantity",
    "quote_usable",
    "repeated",
    "restricted",
    "symbol_halted",
    "unknowns",
    "worth",
    "would_price",
]

_ACCOUNT: tuple[Check, ...] = (
    position,
    opposite,
    duplicate,
    open_orders,
    repeated,
    daily_loss,
    buying_power,
    heat,
)
_FORBIDDEN: tuple[Check, ...] = (halted, restricted, position_break)
_SIZE: tuple[Check, ...] = (quantity, notional, adv_share)
_PRICES: tuple[Check, ...] = (decision_price, would_price, collar)

# A parent waits through a bad quote or a halt, which may end within its window.
PARENT_CHECKS: tuple[Check, ...] = (*_FORBIDDEN, *_SIZE, *_PRICES, *_ACCOUNT)
# The market before the size: a child's value is not known without a usable quote.
CHILD_CHECKS: tuple[Check, ...] = (
    *_FORBIDDEN,
    symbol_halted,
    quote_usable,
    *_SIZE,
    *_PRICES,
    *_ACCOUNT,
    messages,
)
# An intent that is sent once more keeps its limit, whatever the market's prices have become.
RESEND_CHECKS: tuple[Check, ...] = (*_FORBIDDEN, symbol_halted, *_SIZE, *_ACCOUNT, messages)
# What may change between the committed intent and the broker call.
LAST_CHECKS: tuple[Check, ...] = (halted, symbol_halted, position_break, opposite)

# The reason may be gone before the window is over: the child waits instead.
PASSING = frozenset(code for code, about in CODES.items() if about.passes)


def first_denial(checks: Iterable[Check], facts: Facts, bounds: Bounds) -> Denial | None:
    """The first check that refuses, in the order of the table."""
    return next((denial for check in checks if (denial := check(facts, bounds))), None)


def first_fact(checks: Iterable[Check], facts: Facts, bounds: Bounds) -> Denial | None:
    """The first check that refuses, whatever is still unknown."""
    found = (check(facts, bounds) for check in checks)
    return next((denial for denial in found if denial is not None and not denial.waits), None)


def unknowns(checks: Iterable[Check], facts: Facts, bounds: Bounds) -> tuple[Denial, ...]:
    """What a parent waits for: the denials that rest on something not known yet."""
    found = (check(facts, bounds) for check in checks)
    return tuple(denial for denial in found if denial is not None and denial.waits)
