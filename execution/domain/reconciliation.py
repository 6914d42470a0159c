"""Our records beside the broker's: what differs, in words.

Every number of ours is a pair: what we knew before the broker was asked, and what we knew after.
Executions that were under way meanwhile lie between the two and are no difference.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

SHOWN = 3  # orders that are named
_OURS = re.compile(r"[0-9a-f]{16}-\d+")
WORRYING_SKEW, STOPPING_SKEW = timedelta(seconds=2), timedelta(seconds=10)


class Kind(StrEnum):
    EXTERNAL_ORDER = "EXTERNAL_ORDER"  # an open order that is not ours
    ORDER = "ORDER"  # a child is open on one side alone, or for other shares
    FILL = "FILL"  # the executions of a child
    POSITION = "POSITION"
    CASH = "CASH"
    CLOCK = "CLOCK"


@dataclass(frozen=True, slots=True)
class Difference:
    """`gap` tells one occasion from another: found twice with the same gap, it is the same."""

    kind: Kind
    subject: str
    symbol: str
    ours: str
    theirs: str
    words: str = field(compare=False)
    gap: str = ""

    @property
    def occasion(self) -> tuple[str, str, str]:
        return self.kind, self.subject, self.gap


@dataclass(frozen=True, slots=True)
class Child:
    """A child order of ours. `leaves`: shares that may still execute; zero when it has ended."""

    client_order_id: str
    symbol: str
    status: str
    leaves: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Open:
    """An order that is open at the broker."""

    client_order_id: str
    broker_order_id: str
    symbol: str
    side: str
    leaves: int


def external_orders(children: Iterable[str], there: Iterable[Open]) -> list[Difference]:
    """`children`: our client order ids among those of `there`."""
    ours = set(children)
    return [
        Difference(
            Kind.EXTERNAL_ORDER,
            each.broker_order_id,
            each.symbol,
            ours="none",
            theirs=f"{each.side} {each.leaves:,} {each.symbol}",
            words=f"{each.side} {each.leaves:,} {each.symbol} is open at the broker and not ours"
            f" (the broker's id {each.broker_order_id}); it is left alone{_whose(each)}",
        )
        for each in there
        if each.client_order_id not in ours
    ]


def _whose(there: Open) -> str:
    if not is_our_id(there.client_order_id):
        return ""
    return f"; its id has the form of ours, {there.client_order_id}, and is not in this database"


def is_our_id(client_order_id: str) -> bool:
    """By its form, as `planned.rows` makes it; whether it is known is another question."""
    return _OURS.fullmatch(client_order_id) is not None


@dataclass(frozen=True, slots=True, order=True)
class Stranger:
    """An order that the broker reports under an id of ours, and that is not in our records."""

    client_order_id: str
    symbol: str  # empty where the broker does not tell it
    executed: int  # shares


def strangers(found: Iterable[Stranger], symbol: str) -> str:
    """The end of the words of a break in `symbol`: the orders that may explain it."""
    named = [
        f"{each.client_order_id} ({each.executed:,} executed)"
        for each in sorted(found)
        if each.symbol in (symbol, "")
    ]
    if not named:
        return ""
    shown = ", ".join(named[:SHOWN])
    more = f" and {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
    return f"; sent under ids of ours that are not in this database: {shown}{more}"


def orders(children: Iterable[Child], there: Iterable[Open]) -> list[Difference]:
    """Of children whose state is settled: those that were being sent meanwhile are not given."""
    shown = {each.client_order_id: each for each in there}
    found = []
    for child in children:
        theirs = shown.get(child.client_order_id)
        said = f"{theirs.leaves:,} open" if theirs else "not open"
        if theirs is None and not child.ended:
            words = f"{child.symbol}: a child is {child.status} here and not open at the broker"
        elif theirs is not None and child.ended:
            words = f"{child.symbol}: a child is {child.status} here and still open at the broker"
        elif theirs is not None and theirs.leaves != child.leaves:
            words = (
                f"{child.symbol}: {child.leaves:,} shares of a child are open here,"
                f" {theirs.leaves:,} at the broker"
            )
        else:
            continue
        found.append(
            Difference(
                Kind.ORDER,
                child.client_order_id,
                child.symbol,
                ours=f"{child.status}, {child.leaves:,} open",
                theirs=said,
                words=f"{words} ({child.client_order_id})",
                gap=f"{child.status} {said}",
            )
        )
    return found


def fills(client_order_id: str, symbol: str, ours: int, theirs: int | None) -> Difference | None:
    """Shares executed of one child; None: the broker does not know it."""
    if ours == theirs:
        return None
    said = "does not know the order" if theirs is None else f"reports {theirs:,}"
    return Difference(
        Kind.FILL,
        client_order_id,
        symbol,
        ours=f"{ours:,}",
        theirs="unknown" if theirs is None else f"{theirs:,}",
        words=f"{symbol}: {ours:,} shares of a child are booked, the broker {said}"
        f" ({client_order_id})",
        gap=f"{ours} {theirs}",
    )


def positions(
    before: Mapping[str, int],
    after: Mapping[str, int],
    beside: Mapping[str, int],
    theirs: Mapping[str, int],
) -> list[Difference]:
    """`before` and `after` are of our own fills; `beside` is known to be there with them."""
    found = []
    for symbol in sorted({*before, *after, *beside, *theirs}):
        extra, held = beside.get(symbol, 0), theirs.get(symbol, 0)
        gap = _outside(before.get(symbol, 0) + extra, after.get(symbol, 0) + extra, held)
        if not gap:
            continue
        ours = after.get(symbol, 0)
        known = f"our fills make {ours:,}" + (f" beside {extra:,} held before" if extra else "")
        found.append(
            Difference(
                Kind.POSITION,
                symbol,
                symbol,
                ours=f"{ours + extra:,}",
                theirs=f"{held:,}",
                words=f"{symbol}: the broker has {held:,} shares, {known}: {gap:+,}",
                gap=str(gap),
            )
        )
    return found


def cash(
    before: Decimal, after: Decimal, beside: Decimal, theirs: Decimal, tolerance: Decimal
) -> list[Difference]:
    """`before` and `after` are the money of our own fills, commissions taken off."""
    gap = _outside(before + beside, after + beside, theirs)
    if abs(gap) <= tolerance:
        return []
    ours = after + beside
    return [
        Difference(
            Kind.CASH,
            "cash",
            "",
            ours=f"{ours:,.2f}",
            theirs=f"{theirs:,.2f}",
            words=f"the broker has {theirs:,.2f} in cash, we expect {ours:,.2f}: {gap:+,.2f}"
            f" (up to {tolerance:,.2f} is ignored)",
            gap=f"{gap:.2f}",
        )
    ]


def clock(skew: timedelta) -> list[Difference]:
    """`skew`: the broker's clock less ours."""
    if abs(skew) <= WORRYING_SKEW:
        return []
    seconds = skew.total_seconds()
    ahead = "ahead of" if seconds > 0 else "behind"
    stop = "; nothing is sent above 10 s" if abs(skew) > STOPPING_SKEW else ""
    return [
        Difference(
            Kind.CLOCK,
            "stopping" if abs(skew) > STOPPING_SKEW else "worrying",
            "",
            ours="our clock",
            theirs=f"{seconds:+.1f} s",
            words=f"the broker's clock is {abs(seconds):.1f} s {ahead} ours{stop}",
        )
    ]


def _outside(one: int | Decimal, other: int | Decimal, theirs: int | Decimal) -> Decimal:
    """How far a number lies outside of the span between two others, signed."""
    low, high = Decimal(min(one, other)), Decimal(max(one, other))
    return max(Decimal(theirs) - high, Decimal(0)) + min(Decimal(theirs) - low, Decimal(0))
