"""Orders worked on replayed sessions, with perfect fills where nothing else is said."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from typing_extensions import override

from deepstack.config import Config, Execution, Limits, Paper, Twap
from deepstack.config_market import Market as MarketSettings
from deepstack.config_market import Replay
from deepstack.config_paper import PaperImpact
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.lifecycle import SliceStatus
from execution.domain.session import Session
from execution.entry import acceptance
from execution.market.base import MarketDataUnavailable, TapeBar
from execution.market.calendar import ExchangeCalendar
from execution.market.replay import ReplayMarket
from execution.models import Bar, Order, Slice
from execution.planning import volume_profiles
from execution.sending import outcomes, slices, targeting
from execution.sending.slices import Intent
from tests.integration.order_steps import execution, report

TODAY, HALF_DAY = date(2024, 6, 12), date(2024, 7, 3)

MINUTE = timedelta(minutes=1)

CALENDAR = ExchangeCalendar(dict)


def session_on(day: date) -> Session:
    session = CALENDAR.session_on(day)
    assert session is not None
    return session


def usual(length: int = 390) -> list[int]:
    """A smile: twice as much at both ends as in the middle."""
    return [400 + abs(2 * minute - length) for minute in range(length)]


def store(day: date, volumes: Sequence[int], symbol: str = "GWW") -> None:
    price = Decimal(900)
    prices = {"open": price, "high": price, "low": price, "close": price}
    Bar.objects.bulk_create(
        Bar(symbol=symbol, start_at=session_on(day).open + MINUTE * k, volume=volume, **prices)
        for k, volume in enumerate(volumes)
        if volume
    )


def learn(before: date, symbol: str = "GWW") -> None:
    """Six usual sessions, learned on the evening before."""
    day, stored = before, 0
    while stored < 6:
        day -= timedelta(days=1)
        session = CALENDAR.session_on(day)
        if session and session.length == timedelta(hours=6.5):
            store(day, usual(), symbol)
            stored += 1
    volume_profiles.learn_from_bars(now=session_on(before).open)


def context_at(moment: datetime, market: type[ReplayMarket] = ReplayMarket, **more: Any) -> Context:
    config = Config(
        execution=Execution(**{"twap": Twap(timing_randomization=0), **more}),
        limits=Limits(max_order_quantity=100_000_000, max_order_notional=Decimal(10**12)),
        market=MarketSettings(source="replay", replay=Replay(quote_grace_seconds=86_400)),
        paper=Paper(impact=PaperImpact(coefficient=0)),
    )
    return Context(config, market(config), OrderManager(config=config), lambda: moment)


def order_of(context: Context, quantity: int = 100_000, **terms: Any) -> Order:
    signal = {"symbol": "GWW", "side": "BUY", "quantity": quantity, "algorithm": "VWAP"}
    return acceptance.accept({**signal, "decision_price": 900, **terms}, context)


def claim(part: Slice, context: Context, now: datetime) -> Intent | None:
    """As `slices.send` does it, up to the committed intent."""
    part = Slice.objects.select_related("order").get(pk=part.pk)
    quote = context.market.quote(part.order.symbol, now)
    tape = targeting.read_tape(part, context, now=now)
    return slices.claim(part, quote, context, now=now, tape=tape)


def fill(intent: Intent, context: Context, quantity: int | None = None) -> None:
    done = intent.ticket.quantity if quantity is None else quantity
    status = SliceStatus.FILLED if done == intent.ticket.quantity else SliceStatus.CANCELLED
    trades = [replace(execution(intent, "1", done), executed_at=context.now())] if done else []
    outcomes.record(
        intent.part.order_id, intent.part.pk, intent.token, report(intent, status, trades), context
    )


def work(order: Order, context: Context, *, missing: Iterable[int] = ()) -> dict[int, int]:
    """The size of the child of each slice; the `missing` ones pass unattended."""
    sent = {}
    for part in order.slices.order_by("sequence"):
        if part.sequence not in missing:
            intent = claim(part, replace(context, now=lambda due=part.due_at: due), part.due_at)
            if intent is not None:
                sent[part.sequence] = intent.ticket.quantity
                fill(intent, replace(context, now=lambda due=part.due_at: due))
    return sent


OPEN = session_on(TODAY).open

WHOLE = {"window_minutes": 390, "slices": 26}

FIVE_MINUTES = {"window_minutes": 390, "slices": 78}


class NoTape(ReplayMarket):
    """A source whose quotes work and whose bars do not."""

    @override
    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        raise MarketDataUnavailable("bars time out")


TWAP = {"algorithm": "TWAP", "window_minutes": 60, "slices": 12}
