"""Orders in markets that tell their quotes, and in some that do not."""

from dataclasses import replace
from datetime import datetime, timedelta

from typing_extensions import override

from execution import context as desks
from execution.context import Context
from execution.market.base import Quote
from execution.market.simulated import SimulatedMarket
from execution.models import Order
from execution.sending import slices, targeting


def with_limits(desk: Context | None = None, **values: object) -> Context:
    desk = desk or desks.default()
    changed = desk.config.limits.model_copy(update=values)
    return replace(desk, config=desk.config.model_copy(update={"limits": changed}))


def told(order: Order) -> str:
    return f"{order.status} {order.status_reason.split(':')[0]}".strip()


class Silent(SimulatedMarket):
    """A market that has told no quote yet."""

    @override
    def quote(self, symbol: str, at: datetime) -> Quote | None:
        return None


class Old(SimulatedMarket):
    """A market whose last quote is ten minutes old."""

    @override
    def quote(self, symbol: str, at: datetime) -> Quote | None:
        return super().quote(symbol, at - timedelta(minutes=10))


class Crossed(SimulatedMarket):
    @override
    def quote(self, symbol: str, at: datetime) -> Quote | None:
        seen = super().quote(symbol, at)
        return seen and replace(seen, bid=seen.ask, ask=seen.bid)


def on(market: type[SimulatedMarket], desk: Context | None = None) -> Context:
    desk = desk or desks.default()
    return replace(desk, market=market(desk.config))


def quote_of(symbol: str, at: datetime) -> Quote:
    quote = desks.default().market.quote(symbol, at)
    assert quote is not None
    return quote


def tried(order: Order, desk: Context | None = None) -> str:
    """What becomes of the order's next child at its moment, in a market that tells its quotes."""
    desk, part = desk or desks.default(), order.slices.filter(status="PLANNED")[:1].get()
    now = part.due_at
    seen = targeting.look(part, desk, now=now)
    slices.claim(part, quote_of(order.symbol, now), desk, now=now, seen=seen)
    part.refresh_from_db()
    order.refresh_from_db()
    return f"{part.status} {part.reason.split(':')[0]}".strip()
