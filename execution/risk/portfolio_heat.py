"""Portfolio heat: what the positions of an account may move in a day, as a share of its equity."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from execution.context import Context
from execution.domain.risk_checks import Heat
from execution.risk import positions
from execution.risk.checked_order import CheckedOrder
from execution.risk.marks import NO_MARKS, Marks

ZERO = Decimal(0)


def heat(
    checked: CheckedOrder, equity: Decimal | None, pending: int, context: Context
) -> Heat | None:
    """None where equity is not configured, or a position is not known, nor its price or
    volatility.

    A position that is new since the marks were read counts from the next check on. A position that
    the order makes larger counts at what the order's shares are worth, if that is more than the
    mark.
    """
    if not equity:
        return None
    order, marks = checked.order, checked.marks
    held = checked.book.held
    if held is None:
        held = positions.held(order.account, context)
    if held is None:
        return None
    others = _all_positions(held, marks).beside(order.symbol)
    before = held.get(order.symbol, 0) if marks.read_before(order.symbol) else 0
    after = before + order.side_sign * (checked.quantity + pending)
    was, becomes = _heat(order.symbol, before, marks), _heat(order.symbol, after, marks)
    if others is None or was is None or becomes is None:
        return None
    mark = marks.prices.get(order.symbol)
    if abs(after) > abs(before) and checked.price is not None and mark and checked.price > mark:
        becomes *= checked.price / mark
    return Heat((others + was) / equity, (others + becomes) / equity)


def _heat(symbol: str, shares: int, marks: Marks) -> Decimal | None:
    """In currency; None where the market says too little."""
    if not shares:
        return ZERO
    price, volatility = marks.prices.get(symbol), marks.volatility.get(symbol)
    if price is None or volatility is None:
        return None
    return abs(shares) * price * Decimal(str(volatility))


@dataclass(frozen=True, slots=True)
class _Positions:
    """The heat of each position, their sum, and those of which the market says too little."""

    each: Mapping[str, Decimal] = field(default_factory=dict)
    whole: Decimal = ZERO
    unknown: frozenset[str] = frozenset()

    def beside(self, symbol: str) -> Decimal | None:
        """The sum without a symbol; None where another is unknown."""
        if self.unknown - {symbol}:
            return None
        return self.whole - self.each.get(symbol, ZERO)


class _Last(threading.local):
    """The positions of the check before: orders of one list, and children of one set, have them in
    common, and what the market was asked about them."""

    held: Mapping[str, int] | None = None
    marks: Marks = NO_MARKS
    found = _Positions()


_last = _Last()


def _all_positions(held: Mapping[str, int], marks: Marks) -> _Positions:
    if _last.held is not held or _last.marks.question is not marks.question:
        _last.held, _last.marks, _last.found = held, marks, _positions(held, marks)
    return _last.found


def _positions(held: Mapping[str, int], marks: Marks) -> _Positions:
    each, unknown = dict[str, Decimal](), set[str]()
    for symbol, shares in held.items():
        if marks.read_before(symbol):
            known = _heat(symbol, shares, marks)
            if known is None:
                unknown.add(symbol)
            else:
                each[symbol] = known
    return _Positions(each, sum(each.values(), ZERO), frozenset(unknown))
