"""The paper exchange for one order alone, on a recorded tape: how its children fill. Pure.

The rules are the paper broker's own (`execution.broker.paper.matching_rules`): an arriving child
takes from the displayed book within what its minute trades, the rest waits and gets its share of
the minutes that follow. What the order has executed moves the price that it pays next
(`execution.domain.own_impact`). Nothing is late, refused or lost.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from execution.broker.paper.matching_rules import (
    PaperFill,
    Resting,
    commission_due,
    displayed_ahead,
    first_of,
    match,
    shares,
    take_from_book,
    within_limit,
)
from execution.domain.own_impact import UNMOVED, Flow, Liquidity, Shifts, moved, shift
from execution.market.base import Quote, TapeBar
from monitoring.replays.tape import Tape

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Market:
    """What the paper exchange is set to. `participation`: the share of a minute's volume that what
    waits gets; `displayed`: shares at the touch. `coefficient` and `half_life` are those of the
    impact law; without `liquidity` nothing moves the price. Commissions in dollars."""

    participation: Decimal
    displayed: int
    coefficient: float = 0.0
    half_life: timedelta = timedelta(hours=1)
    liquidity: Liquidity | None = None
    commission_per_share: Decimal = Decimal(0)
    minimum_commission: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Child:
    """What was sent, before anything of it filled."""

    at: datetime
    quantity: int
    limit: Decimal


@dataclass
class Exchange:
    """One order's executions so far; its children come one after the other."""

    side: str
    tape: Tape
    market: Market
    fills: list[PaperFill] = field(default_factory=list)
    commission: Decimal = Decimal(0)
    children: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._done: dict[datetime, int] = defaultdict(int)  # shares by minute

    @property
    def filled(self) -> int:
        return shares(self.fills)

    def quote(self, at: datetime) -> Quote | None:
        """As the order's own executions have moved it."""
        quote, shifts = self.tape.quote(at), self._shifts(at)
        if quote is None or not shifts:
            return quote
        return replace(
            quote, bid=moved(quote.bid, "SELL", shifts), ask=moved(quote.ask, "BUY", shifts)
        )

    def send(self, quantity: int, limit: Decimal, *, at: datetime, until: datetime) -> None:
        """A child that leaves `at`, when there is a quote, and is cancelled at `until`."""
        quote = self.tape.quote(at)
        if quote is None:
            return
        before, printing = self.filled, self.tape.printing(at)
        shifts = self._shifts(at, quantity)
        touch = quote.ask if self.side == "BUY" else quote.bid
        marketable = within_limit(self.side, moved(touch, self.side, shifts), limit)
        if marketable and printing is not None:
            self._take(quantity, limit, quote, at, printing, shifts)
        resting = Resting(
            side=self.side,
            limit=limit,
            leaves=quantity - (self.filled - before),
            since=at,
            awaits_print=marketable and printing is None,
            ahead=0 if marketable else displayed_ahead(self.side, limit, quote),
        )
        self._rest(resting, until)
        self.children.append(Child(at, quantity, limit))
        self.commission += commission_due(
            self.filled - before,
            per_share=self.market.commission_per_share,
            minimum=self.market.minimum_commission,
        )

    def _take(
        self,
        quantity: int,
        limit: Decimal,
        quote: Quote,
        at: datetime,
        printing: TapeBar,
        shifts: Shifts,
    ) -> None:
        fills = take_from_book(
            side=self.side,
            quantity=quantity,
            limit=limit,
            quote=quote,
            at=at,
            printing=printing,
            shifts=shifts,
        )
        self._note(first_of(fills, self._left(printing)))

    def _rest(self, order: Resting, until: datetime) -> None:
        for bar in self.tape.between(order.since, until):
            if not order.leaves:
                return
            known = len(order.fills)
            match(
                [order],
                [bar],
                participation=self.market.participation,
                displayed=self.market.displayed,
                room={_minute(bar.start): self._left(bar)},
                shifts=self._shifts(bar.end),
            )
            self._note(order.fills[known:])

    def _left(self, bar: TapeBar) -> int:
        """Of the bar's volume, less what the order got of its minute already."""
        return max(bar.volume - self._done[_minute(bar.start)], 0)

    def _note(self, fills: Iterable[PaperFill]) -> None:
        for fill in fills:
            self.fills.append(fill)
            self._done[_minute(fill.at)] += fill.quantity

    def _shifts(self, at: datetime, quantity: int = 0) -> Shifts:
        known, coefficient = self.market.liquidity, self.market.coefficient
        if known is None or not coefficient:
            return UNMOVED
        flow = self._flow(at)
        parts = {
            side: shift(side, flow, known, coefficient=coefficient, quantity=quantity)
            for side in ("BUY", "SELL")
        }
        return {side: Decimal(repr(round(part, 9))) for side, part in parts.items()}

    def _flow(self, at: datetime) -> Flow:
        """As the paper market keeps it, by minutes."""
        pressing = sum(
            done * 0.5 ** ((at - minute) / self.market.half_life)
            for minute, done in self._done.items()
        )
        filled = self.filled
        if self.side == "BUY":
            return Flow(bought=pressing, net=filled)
        return Flow(sold=pressing, net=-filled)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
