"""Orders in markets that tell their quotes, and in some that do not."""

from dataclasses import replace
from datetime import datetime, timedelta

from typing_extensions import override

from execution import context as contexts
from execution.context import Context
from execution.market.base import Quote
from execution.market.simulated import SimulatedMarket
from execution.models import Order
from execution.sending import slices, targeting


def with_limits(context: Context | None = None, **values: object) -> Context:
    context = context or contexts.default()
    changed = context.config.limits.model_copy(update=values)
    return replace(context, config=context.config.model_copy(update={"limits": changed}))


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


def on(market: type[SimulatedMarket], context: Context | None = None) -> Context:
    context = context or contexts.default()
    return replace(context, market=market(context.config))


def quote_of(symbol: str, at: datetime) -> Quote:
    quote = contexts.default().market.quote(symbol, at)
    assert quote is not None
    return quote


def tried(order: Order, context: Context | None = None) -> str:
    """What becomes of the order's next child at its moment, in a market that tells its quotes."""
    context, part = context or contexts.default(), order.slices.filter(status="PLANNED")[:1].get()
    now = part.due_at
    tape = targeting.read_tape(part, context, now=now)
    slices.claim(part, quote_of(order.symbol, now), context, now=now, tape=tape)
    part.refresh_from_db()
    order.refresh_from_db()
    return f"{part.status} {part.reason.split(':')[0]}".strip()
