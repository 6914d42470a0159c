"""How the paper exchange fills: from the displayed book on arrival, from the tape after that.

Prices come from the quote and the tape alone; a limit only ever says no.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from execution.broker.base import Ticket
from execution.domain.limit_prices import on_grid, round_away, tick
from execution.domain.own_impact import UNMOVED, Shifts, moved
from execution.market.base import Quote, TapeBar

LEVELS = 3
PRICE_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class PaperFill:
    quantity: int
    price: Decimal
    at: datetime


@dataclass(slots=True)
class Resting:
    """An open order as the matching sees it; `since` is how far it has used the tape.

    `awaits_print`: it was marketable when it arrived, but its minute had no trade. The first
    minute that trades serves it like an arrival, up to `displayed` shares. `ahead`: shares that
    take what it would have got before it gets any.
    """

    side: str
    limit: Decimal
    leaves: int
    since: datetime
    expires: datetime | None = None
    awaits_print: bool = False
    ahead: int = 0
    moved: bool = False  # the queue ahead of it has traded
    fills: list[PaperFill] = field(default_factory=list)
    starved: bool = False  # the tape traded within its limit, but too little for one share


def take_from_book(
    *,
    side: str,
    quantity: int,
    limit: Decimal,
    quote: Quote,
    at: datetime,
    printing: TapeBar | None = None,
    shifts: Shifts = UNMOVED,
) -> list[PaperFill]:
    """What an arriving order takes at once, one fill per price.

    Three levels of the displayed size each: the touch, then each worse by half the spread,
    rounded up to a tick. Where the minute in progress is known, prices are moved into its range
    and no more is taken than it trades. `shifts`: what paper orders have done to the price.
    """
    available = quantity if printing is None else min(quantity, printing.volume)
    taken: dict[Decimal, int] = {}
    for price, size in _levels(side, quote):
        if printing is not None:
            price = min(max(price, printing.low), printing.high)
        price = moved(price, side, shifts)
        if available <= 0 or not within_limit(side, price, limit):
            break
        shares = min(size, available)
        taken[price] = taken.get(price, 0) + shares
        available -= shares
    return [PaperFill(shares, price, at) for price, shares in taken.items() if shares]


def match(
    resting: Sequence[Resting],
    bars: Iterable[TapeBar],
    *,
    participation: Decimal,
    displayed: int,
    room: Mapping[datetime, int] | None = None,
    shifts: Shifts = UNMOVED,
) -> None:
    """Fill open orders, oldest first, from bars that have ended, oldest first.

    In each bar all of them together get `participation` of its volume, fractions saved up, at
    its VWAP moved into its range and by `shifts`, stamped at its middle. `room`: shares left of the
    minutes, by their start, of which others got a part already.
    """
    saved = Decimal(0)
    left = dict(room or {})
    hungry: list[Resting] = []
    for bar in bars:
        wanting = [order for order in resting if _wants(order, bar, shifts)]
        if wanting:
            budget = bar.volume * participation + saved
            minute = bar.start.replace(second=0, microsecond=0)
            most = min(bar.volume, left.get(minute, bar.volume))
            before = sum(order.leaves for order in wanting)
            saved = _share_out(bar, wanting, budget, displayed, most, shifts) % 1
            if minute in left:
                left[minute] -= before - sum(order.leaves for order in wanting)
            hungry += wanting
    if not any(order.fills or order.moved for order in resting):
        for order in hungry:
            order.starved = True


def _share_out(
    bar: TapeBar,
    wanting: Sequence[Resting],
    budget: Decimal,
    displayed: int,
    most: int,
    shifts: Shifts,
) -> Decimal:
    """Serve the orders in turn with up to `most` shares; what is left of the budget."""
    traded = most
    for order in wanting:
        cap = min(max(int(budget), displayed if order.awaits_print else 0), traded)
        shares = min(order.leaves, cap - _let_ahead(order, cap))
        if shares > 0:
            _fill(order, shares, bar, shifts)
            traded -= shares
            budget = max(budget - shares, Decimal(0))
    return budget


def _let_ahead(order: Resting, most: int) -> int:
    """Shares that go to the queue ahead of an order. They do not exist for the others' sake: two
    orders at one price wait for the same queue."""
    shares = min(order.ahead, most)
    order.ahead -= shares
    order.moved |= shares > 0
    return shares


def displayed_ahead(side: str, limit: Decimal, quote: Quote) -> int:
    """The displayed size that a resting order stands behind; none when it improves the touch."""
    if side == "BUY":
        return quote.bid_size if limit <= quote.bid else 0
    return quote.ask_size if limit >= quote.ask else 0


def shares(fills: Iterable[PaperFill]) -> int:
    return sum(fill.quantity for fill in fills)


def first_of(fills: Iterable[PaperFill], quantity: int) -> list[PaperFill]:
    """The first `quantity` shares of the fills."""
    kept = []
    for fill in fills:
        if quantity <= 0:
            break
        kept.append(replace(fill, quantity=min(fill.quantity, quantity)))
        quantity -= fill.quantity
    return kept


def within_limit(side: str, price: Decimal, limit: Decimal) -> bool:
    return price <= limit if side == "BUY" else price >= limit


def problem(ticket: Ticket) -> str:
    """What a broker would refuse for good; empty when there is nothing."""
    price = ticket.limit_price
    if ticket.side not in ("BUY", "SELL"):
        return f"side = {ticket.side!r}: BUY or SELL is allowed"
    if ticket.quantity <= 0:
        return f"quantity = {ticket.quantity}: a whole number of shares above 0 is allowed"
    if not price.is_finite() or price <= 0:
        return f"limit_price = {price}: a price above 0 is allowed"
    if not on_grid(price):
        return f"limit_price = {price}: a multiple of {tick(price)} is allowed"
    return ""


def commission_due(filled: int, *, per_share: Decimal, minimum: Decimal) -> Decimal:
    """Commission of one order with so many shares filled, in dollars; zero without a fill."""
    return max(per_share * filled, minimum) if filled else Decimal(0)


def _levels(side: str, quote: Quote) -> Iterator[tuple[Decimal, int]]:
    touch, size = (quote.ask, quote.ask_size) if side == "BUY" else (quote.bid, quote.bid_size)
    sign = 1 if side == "BUY" else -1
    ticks = ((quote.ask - quote.bid) / 2 / tick(touch)).to_integral_value(ROUND_CEILING)
    step = sign * max(ticks, Decimal(1)) * tick(touch)
    for level in range(LEVELS):
        # Each level is on the grid of its own price, which may lie beyond the dollar.
        price = round_away(touch + level * step, -sign)
        if price > 0:
            yield price, size


def _wants(order: Resting, bar: TapeBar, shifts: Shifts) -> bool:
    return (
        order.leaves > 0
        and bar.start >= order.since
        and (order.expires is None or bar.end <= order.expires)
        and within_limit(order.side, _price(order.side, bar, shifts), order.limit)
    )


def _price(side: str, bar: TapeBar, shifts: Shifts) -> Decimal:
    rounding = ROUND_CEILING if side == "BUY" else ROUND_FLOOR
    price = min(max(bar.vwap.quantize(PRICE_STEP, rounding), bar.low), bar.high)
    return moved(price, side, shifts)


def _fill(order: Resting, shares: int, bar: TapeBar, shifts: Shifts) -> None:
    order.leaves -= shares
    order.awaits_print = False
    order.fills.append(
        PaperFill(shares, _price(order.side, bar, shifts), bar.start + bar.length / 2)
    )
