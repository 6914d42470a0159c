"""Looks a broker over for a person: does it answer, whose account is it, what is missing.

A broker may add what only it knows: a method `examine()` that yields findings, and an attribute
`trial` that is true where no real money can be lost.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from statistics import median
from time import monotonic
from typing import Protocol, runtime_checkable
from uuid import uuid4

from deepstack import django_setup
from deepstack.config import Config, ConfigError
from execution.broker.base import (
    AccountBroker,
    AccountState,
    Broker,
    BrokerError,
    BrokerOrder,
    Ticket,
)
from execution.domain.lifecycle import SLICE_TERMINAL, SliceStatus
from execution.domain.limit_prices import round_away
from execution.market import MARKET_DATA, open_market
from execution.market.base import MarketDataUnavailable, Quote

django_setup.ensure()

from execution.broker import links  # noqa: E402
from execution.models import Slice  # noqa: E402

ALERT_SKEW, LARGEST_SKEW = timedelta(seconds=2), timedelta(seconds=10)
LATENCY_QUESTIONS = 3
PATIENCE = 15.0  # seconds, for a cancel to be confirmed


class Grade(StrEnum):
    GOOD = "ok"
    LOOK = "look"  # it works, and somebody should know
    BAD = "bad"  # trading would fail


@dataclass(frozen=True, slots=True)
class Finding:
    grade: Grade
    subject: str
    words: str


@runtime_checkable
class Examined(Broker, Protocol):
    def examine(self) -> Iterable[Finding]: ...


def examine(
    broker: Broker, config: Config, symbol: str, now: Callable[[], datetime]
) -> Iterator[Finding]:
    """All that can be found out without an order. A broker that does not answer ends it."""
    try:
        if isinstance(broker, AccountBroker):
            yield from _account(broker, config.account, now)
        yield _latency(broker, config.account, now)
        if isinstance(broker, Examined):
            yield from broker.examine()
    except BrokerError as error:
        yield Finding(Grade.BAD, "connection", f"no usable answer: {error}")
    if (lost := links.trouble(config)) is not None and broker.name == lost.broker:
        yield Finding(Grade.LOOK, "link", lost.reason)
    yield from _market(broker, config, symbol, now)


def round_trip(
    broker: Broker,
    config: Config,
    symbol: str,
    limit: Decimal | None,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Iterator[Finding]:
    """Buys one share far below the market and cancels it. Only where no money can be lost."""
    if not getattr(broker, "trial", False):
        yield Finding(Grade.BAD, "round trip", "only a paper account is tried with an order")
        return
    limit = limit or _far_below(broker, config, symbol, now)
    if limit is None:
        yield Finding(Grade.BAD, "round trip", f"no quote of {symbol}: name a price with --price")
        return
    ticket = Ticket(f"check-{uuid4().hex[:24]}", config.account, symbol, "BUY", 1, limit)
    try:
        started = monotonic()
        broker.place(ticket, now=now())
        took = (monotonic() - started) * 1000
        words = f"1 {symbol} at {limit:f} accepted after {took:.0f} ms"
        yield Finding(Grade.GOOD, "order", words)
        started = monotonic()
        broker.cancel(ticket.client_order_id, now=now())
        yield _ended(_wait_for_end(broker, ticket, now, sleep), started)
    except BrokerError as error:
        words = f"{type(error).__name__}: {error}; look for {ticket.client_order_id} at the broker"
        yield Finding(Grade.BAD, "round trip", words)


def _account(broker: AccountBroker, account: str, now: Callable[[], datetime]) -> Iterator[Finding]:
    state = broker.account_state(account, now=now())
    yield Finding(Grade.GOOD, "connection", f"{broker.name} answers for account {account!r}")
    yield _clock(state, now())
    yield _money(state)
    held = [f"{shares:,} {symbol}" for symbol, shares in sorted(state.positions.items())]
    yield Finding(Grade.GOOD, "positions", ", ".join(held) or "none")
    yield _open_orders(broker, account, now())


def _money(state: AccountState) -> Finding:
    words = f"cash {state.cash:,.2f}, buying power {state.buying_power:,.2f}"
    if state.buying_power <= 0:
        return Finding(Grade.BAD, "money", words)
    if state.in_dollars:
        return Finding(Grade.GOOD, "money", words)
    return Finding(
        Grade.LOOK,
        "money",
        f"{words}, in {state.currency}: cash is not compared, and with limits.within_buying_power"
        " no buy leaves, as both go by dollars",
    )


def _clock(state: AccountState, now: datetime) -> Finding:
    skew = state.at - now
    seconds = skew.total_seconds()
    words = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} ours"
    if abs(skew) > LARGEST_SKEW:
        return Finding(Grade.BAD, "clock", f"{words}: nothing is sent above 10 s; set our clock")
    if abs(skew) > ALERT_SKEW:
        return Finding(Grade.LOOK, "clock", f"{words}; it should be below 2 s")
    return Finding(Grade.GOOD, "clock", words)


def _open_orders(broker: AccountBroker, account: str, now: datetime) -> Finding:
    there = broker.open_orders(account, now=now)
    ours = set(
        Slice.objects.filter(
            client_order_id__in=[order.client_order_id for order in there]
        ).values_list("client_order_id", flat=True)
    )
    others = [order for order in there if order.client_order_id not in ours]
    if not others:
        return Finding(Grade.GOOD, "open orders", f"{len(there)}, all of this service")
    named = ", ".join(f"{order.side} {order.leaves:,} {order.symbol}" for order in others[:5])
    words = f"{len(there)}, of which {len(others)} were placed elsewhere: {named}"
    return Finding(Grade.LOOK, "open orders", words)


def _latency(broker: Broker, account: str, now: Callable[[], datetime]) -> Finding:
    """Of a question that goes all the way: a look-up by id may be answered from a book of ours."""
    waits = []
    for _ in range(LATENCY_QUESTIONS):
        started = monotonic()
        if isinstance(broker, AccountBroker):
            broker.open_orders(account, now=now())
        else:
            broker.find(f"check-{uuid4().hex[:24]}", now=now())
        waits.append((monotonic() - started) * 1000)
    words = f"{median(waits):.0f} ms for a question, {max(waits):.0f} ms at worst"
    return Finding(Grade.GOOD if median(waits) < 1000 else Grade.LOOK, "latency", words)


def _market(
    broker: Broker, config: Config, symbol: str, now: Callable[[], datetime]
) -> Iterator[Finding]:
    source = config.market.source
    if broker.name not in ("paper", source) and broker.name in MARKET_DATA:
        words = f"orders are priced by {source!r}; {broker.name} has prices of its own"
        yield Finding(Grade.LOOK, "market data", f"{words} (market.source)")
    try:
        quote = _quote(broker, config, symbol, now())
    except (MarketDataUnavailable, ConfigError) as error:
        yield Finding(Grade.BAD, "quote", str(error))
        return
    if quote is None:
        yield Finding(Grade.LOOK, "quote", f"{symbol} has none now")
        return
    age = (now() - quote.at).total_seconds()
    words = f"{symbol} {quote.bid:f} / {quote.ask:f}, {age:.0f} s old"
    if age > config.limits.max_quote_age_seconds:
        limit = f"{config.limits.max_quote_age_seconds:g} s"
        yield Finding(Grade.LOOK, "quote", f"{words}: nothing is sent on one older than {limit}")
    else:
        yield Finding(Grade.GOOD, "quote", words)


def _quote(broker: Broker, config: Config, symbol: str, now: datetime) -> Quote | None:
    source = broker.name if broker.name in MARKET_DATA else config.market.source
    market = config.market.model_copy(update={"source": source})
    return open_market(config.model_copy(update={"market": market})).quote(symbol, now)


def _far_below(
    broker: Broker, config: Config, symbol: str, now: Callable[[], datetime]
) -> Decimal | None:
    """Half of the bid: out of reach, and inside what venues take for a price."""
    try:
        quote = _quote(broker, config, symbol, now())
    except (MarketDataUnavailable, ConfigError):
        return None
    return round_away(quote.bid / 2, 1) if quote else None


def _wait_for_end(
    broker: Broker, ticket: Ticket, now: Callable[[], datetime], sleep: Callable[[float], None]
) -> BrokerOrder | None:
    deadline = monotonic() + PATIENCE
    while True:
        seen = broker.find(ticket.client_order_id, now=now())
        if (seen and seen.status in SLICE_TERMINAL) or monotonic() > deadline:
            return seen
        sleep(0.5)


def _ended(seen: BrokerOrder | None, started: float) -> Finding:
    took = (monotonic() - started) * 1000
    if seen and seen.status == SliceStatus.CANCELLED and not seen.filled_quantity:
        return Finding(Grade.GOOD, "cancel", f"confirmed after {took:.0f} ms")
    state = f"{seen.status}, {seen.filled_quantity} filled" if seen else "not found"
    return Finding(Grade.BAD, "cancel", f"after {took:.0f} ms the order is {state}")
