"""One order on replayed bars, minute by minute, at a broker that fills only what it is told to."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q

from deepstack.config import Config, Execution, Limits, Routing, Twap
from deepstack.config_market import Market as MarketSettings
from deepstack.config_market import Replay
from execution.booking import completion, execution_reports
from execution.broker.base import Execution as Trade
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.lifecycle import (
    ORDER_SENDING,
    SLICE_AT_BROKER,
    SLICE_CLAIMABLE,
    SliceStatus,
)
from execution.domain.session import Session
from execution.entry import acceptance
from execution.market.calendar import ExchangeCalendar
from execution.market.replay import ReplayMarket
from execution.models import Bar, Order, Slice
from execution.sending import outcomes, resolver, slices, targeting
from execution.sending.slices import Intent
from tests.integration.order_steps import execution, report

TODAY, HALF_DAY = date(2024, 6, 12), date(2024, 7, 3)
MINUTE = timedelta(minutes=1)
STEP = timedelta(seconds=50)
TOLERANCES = {"child_tolerance_bps": Decimal(10), "urgent_tolerance_bps": Decimal(50)}

# Thousands of times a test: the order's status, F, Q and W.
_TOTALS = """
SELECT status, filled_quantity, quantity,
       (SELECT coalesce(sum(greatest(coalesce(s.quantity, 0) - s.filled_quantity, 0)), 0)
          FROM execution_slice s WHERE s.order_id = o.id AND s.status = ANY (%s))
  FROM execution_order o WHERE o.id = %s
"""

# What the broker fills at once of a child of so many shares, at that minute of the session; None:
# it does not answer.
Answer = Callable[[int, float], int | None]


def all_of(size: int, minute: float) -> int:
    return size


def none_of(size: int, minute: float) -> int:
    return 0


def half_of(size: int, minute: float) -> int:
    return size // 2


def session_on(day: date) -> Session:
    session = ExchangeCalendar(dict).session_on(day)
    assert session is not None
    return session


def at_minute(minute: float, day: date = TODAY) -> datetime:
    return session_on(day).open + MINUTE * minute


def trade(prices: list[float], *, day: date = TODAY, volume: int = 1_000) -> None:
    """Bars of GWW, one for each minute from the open on."""
    Bar.objects.bulk_create(
        Bar(
            symbol="GWW",
            start_at=session_on(day).open + MINUTE * k,
            **dict.fromkeys(("open", "high", "low", "close"), Decimal(str(price))),
            volume=volume,
        )
        for k, price in enumerate(prices)
    )


def context_at(moment: datetime, **more: Any) -> Context:
    settings = {
        "twap": Twap(timing_randomization=0),
        "routing": Routing(**TOLERANCES),
        **more,
    }
    config = Config(
        execution=Execution(**settings),
        limits=Limits(max_order_quantity=100_000_000, max_order_notional=Decimal(10**12)),
        market=MarketSettings(source="replay", replay=Replay(quote_grace_seconds=86_400)),
    )
    return Context(config, ReplayMarket(config), OrderManager(config=config), lambda: moment)


def order_of(context: Context, **terms: Any) -> Order:
    """1,000 shares in ten slices over the hour from 10:00 on."""
    signal: dict[str, Any] = {
        "symbol": "GWW",
        "side": "BUY",
        "quantity": 1_000,
        "algorithm": "TWAP",
        "decision_price": 900,
        "window_minutes": 60,
    }
    return acceptance.accept(signal | terms, context)


@dataclass
class Child:
    intent: Intent
    part: Slice
    trades: list[Trade] = field(default_factory=list)


@dataclass
class Trial:
    """Every step does what workers and the dispatch loop would have done by then, and checks that
    no more works than is left."""

    order: Order
    context: Context
    answer: Answer = all_of
    day: date = TODAY
    children: list[Child] = field(default_factory=list)
    sent: list[tuple[float, int]] = field(default_factory=list)  # minute of the session, shares

    def run(self, until: datetime | None = None) -> Order:
        """From event to event up to the order's end, or until a time; at most until the extended
        close."""
        now, last = self.context.now(), until or session_on(self.day).extended_close
        while now < last and not self.order.is_terminal:
            self._step(now)
            now = self._next(now)
        self.order.refresh_from_db()
        return self.order

    def _next(self, now: datetime) -> datetime:
        """When something is due, a child's time is over, or the order's; soon where it is now."""
        due = Q(status__in=SLICE_CLAIMABLE) | Q(status=SliceStatus.WORKING)
        times = self.order.slices.filter(due).values_list("status", "due_at", "end_at")
        ends = [end if status == SliceStatus.WORKING else due for status, due, end in times]
        return min(at if at > now else now + STEP for at in (*ends, self.order.end_at))

    def step(self, now: datetime) -> None:
        self._step(now)
        self.order.refresh_from_db()

    def _step(self, now: datetime) -> None:
        self.context = replace(self.context, now=lambda: now)
        self._cancel_what_is_over(now)
        if self.order.pk in completion.overdue(now):
            completion.expire(self.order.pk, at=now)
        due = self.order.slices.filter(due_at__lte=now, status__in=SLICE_CLAIMABLE)
        for number in list(due.order_by("sequence").values_list("pk", flat=True)):
            self._send(number, now)
        self.check()

    def check(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_TOTALS, [sorted(SLICE_AT_BROKER), self.order.pk])
            self.order.status, filled, asked, at_broker = cursor.fetchone()
        assert filled + at_broker <= asked

    def minute(self, now: datetime) -> float:
        return (now - session_on(self.day).open) / MINUTE

    def _send(self, number: int, now: datetime) -> None:
        part = Slice.objects.select_related("order").get(pk=number)
        if part.status not in SLICE_CLAIMABLE or part.order.status not in ORDER_SENDING:
            return
        quote = self.context.market.quote(part.order.symbol, now)
        tape = targeting.read_tape(part, self.context, now=now)
        intent = slices.claim(part, quote, self.context, now=now, tape=tape)
        if intent is None:
            return
        child, size = Child(intent, part), intent.ticket.quantity
        self.children.append(child)
        self.sent.append((self.minute(now), size))
        self.check()
        outcome = self._outcome(child, now)
        outcomes.record(part.order_id, part.pk, intent.token, outcome, self.context)

    def _outcome(self, child: Child, now: datetime) -> outcomes.Outcome:
        intent, size = child.intent, child.intent.ticket.quantity
        done = self.answer(size, self.minute(now))
        if done is None:
            return outcomes.Ambiguous("no answer")
        if done:
            child.trades = [replace(execution(intent, "0", done), executed_at=now)]
        status = SliceStatus.FILLED if done == size else SliceStatus.WORKING
        return report(intent, status, child.trades)

    def end(self, child: Child) -> None:
        """The broker confirms the end of a child."""
        cancelled = report(child.intent, SliceStatus.CANCELLED, child.trades)
        execution_reports.book_report(child.part, cancelled, self.context)
        self.check()

    def hold(self, now: datetime) -> None:
        """The dispatch loop has what works cancelled, if it is to be; the broker confirms it."""
        self.context = replace(self.context, now=lambda: now)
        live = self._ids(Q(status__in=SLICE_AT_BROKER))
        for child in self.children:
            if child.part.pk not in live:
                continue
            resolver.close(child.part.pk, self.context)
            child.part.refresh_from_db()
            if child.part.status == SliceStatus.CANCELLING:
                self.end(child)

    def _cancel_what_is_over(self, now: datetime) -> None:
        over = self._ids(Q(status=SliceStatus.WORKING, end_at__lte=now))
        for child in self.children:
            if child.part.pk in over:
                self.end(child)

    def _ids(self, which: Q) -> set[int]:
        return set(self.order.slices.filter(which).values_list("pk", flat=True))
