"""The paper exchange over several days of stored bars, with many parents at the same time: what a
seed says is what happens, to the last digit, and a round trip within a day costs money."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import merge
from random import Random

import pytest

from deepstack.config import Config
from deepstack.config_paper import Paper, PaperFaults, PaperImpact
from execution.broker.base import BrokerError, BrokerRejected, Ticket
from execution.broker.paper_trader import PaperTrader
from execution.domain.algorithms.base import Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.limit_prices import marketable_limit
from execution.domain.volume_profile import U_SHAPE
from execution.market.replay import ReplayMarket
from execution.models import Bar, PaperExecution, PaperFlow, PaperOrder, PaperVolume

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SYMBOLS = ("AAA", "BBB")
OPENS = [datetime(2024, 6, day, 13, 30, tzinfo=UTC) for day in (12, 13, 14)]
MINUTES = 90
WINDOW = timedelta(minutes=30)
LEFT = timedelta(seconds=1)


def store_bars(seed: int) -> None:
    """A walk of each symbol, with minutes that trade a little and much."""
    dice, bars = Random(seed), []
    for symbol in SYMBOLS:
        cents = 10_000
        for opens in OPENS:
            for minute in range(MINUTES):
                cents += dice.randint(-4, 4)
                price, reach = Decimal(cents) / 100, Decimal(dice.randint(2, 8)) / 100
                bars.append(
                    Bar(
                        symbol=symbol,
                        start_at=opens + minute * MINUTE,
                        open=price,
                        high=price + reach,
                        low=price - reach,
                        close=price,
                        volume=dice.randint(200, 6_000),
                    )
                )
    Bar.objects.bulk_create(bars)


@dataclass(frozen=True, order=True, slots=True)
class Child:
    """A slice of a parent, as it leaves."""

    due_at: datetime
    name: str
    symbol: str
    side: str
    quantity: int
    ends: datetime


def children(market: ReplayMarket, seed: int) -> Sequence[Child]:
    """Of twelve parents a day, six on either side, by every algorithm, at overlapping times."""
    dice, plans = Random(seed), []
    for opens in OPENS:
        session = market.session(opens)
        assert session is not None
        for number, algorithm in enumerate((*ALGOS, *ALGOS)):
            start = opens + timedelta(minutes=dice.randint(1, 20))
            spec = Spec(
                quantity=dice.randint(500, 5_000),
                start=start,
                end=start + WINDOW,
                slices=1 if algorithm in ("MARKET", "LIMIT") else 6,
                session=session,
                profile=U_SHAPE,
                seed=dice.randint(0, 2**31),
                jitter=timedelta(seconds=20),
            )
            parent = f"{opens:%d}-{number}-{algorithm}", SYMBOLS[number % 2]
            side = ("BUY", "SELL")[number // 2 % 2]
            plans.append(list(_children(spec, algorithm, parent, side)))
    return list(merge(*plans))


def _children(spec: Spec, algorithm: str, parent: tuple[str, str], side: str) -> Iterator[Child]:
    name, symbol = parent
    for part in ALGOS[algorithm].plan(spec):
        yield Child(
            part.due_at, f"{name}-{part.sequence}", symbol, side, part.quantity, part.end_at
        )


def trade(
    seed: int, *, faults: int = 7
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Every child of three days is sent, worked minute by minute, and cancelled at its end; the
    executions and how each order ended."""
    for model in (PaperExecution, PaperOrder, PaperVolume, PaperFlow):
        model.objects.all().delete()
    harsh = PaperFaults(profile="harsh", seed=faults, latency_ms=0)
    config = Config(paper=Paper(faults=harsh, impact=PaperImpact(coefficient=1)))
    market = ReplayMarket(config)
    paper = PaperTrader(config=config, market=market)
    waiting: list[Child] = []
    for child in children(market, seed):
        waiting = _cancelled(paper, waiting, child.due_at)
        if _sent(paper, market, child):
            waiting.append(child)
    _cancelled(paper, waiting, OPENS[-1] + MINUTE * MINUTES)
    paper.reports("default", OPENS[0], now=OPENS[-1] + MINUTE * MINUTES)
    executions = PaperExecution.objects.order_by("order__client_order_id", "executed_at", "pk")
    orders = PaperOrder.objects.order_by("client_order_id")
    return (
        list(executions.values_list("order__client_order_id", "quantity", "price", "commission",
                                    "executed_at", "reported_at")),
        list(orders.values_list("client_order_id", "filled_quantity", "status")),
    )  # fmt: skip


def _sent(paper: PaperTrader, market: ReplayMarket, child: Child) -> bool:
    quote = market.quote(child.symbol, child.due_at)
    assert quote is not None
    sign = 1 if child.side == "BUY" else -1
    limit = marketable_limit(
        side_sign=sign,
        far_touch=quote.ask if sign > 0 else quote.bid,
        tolerance_bps=Decimal(10),
        reference=quote.mid,
        collar=Decimal("0.05"),
        parent_limit=None,
    )
    ticket = Ticket(child.name, "default", child.symbol, child.side, child.quantity, limit)
    try:
        paper.place(ticket, now=child.due_at)
    except BrokerRejected:
        return False
    except BrokerError:
        pass  # nobody knows: it may stand, so it is cancelled like the others
    return True


def _cancelled(paper: PaperTrader, waiting: Sequence[Child], now: datetime) -> list[Child]:
    """Cancel those whose time is over by now; the others."""
    for child in waiting:
        if child.ends <= now:
            with suppress(BrokerRejected):  # one that was lost on its way
                paper.cancel(child.name, now=child.ends)
    return [child for child in waiting if child.ends > now]


def test_three_days_of_many_parents_go_alike_again() -> None:
    store_bars(1)
    executions, orders = trade(5)
    assert (executions, orders) == trade(5)
    parents = {name.rsplit("-", 1)[0] for name, *_ in orders}  # type: ignore[attr-defined]
    assert len(parents) > 30
    assert len(executions) > 150
    assert trade(5, faults=8) != (executions, orders)
    assert trade(6) != (executions, orders)


def test_a_round_trip_within_a_day_costs_money() -> None:
    """Bought at the same moments as sold an hour later, on a tape whose price stands still."""
    for minute in range(MINUTES):
        Bar.objects.create(
            symbol="AAA",
            start_at=OPENS[0] + minute * MINUTE,
            open=100, high=101, low=99, close=100, volume=4_000, vwap=100,
        )  # fmt: skip
    paid = {coefficient: _round_trip(coefficient) for coefficient in (0.0, 1.0)}
    assert paid[1.0] > paid[0.0] > 0


def _round_trip(coefficient: float) -> Decimal:
    """What buying and selling 4,000 shares left of the money, before commissions."""
    for model in (PaperExecution, PaperOrder, PaperVolume, PaperFlow):
        model.objects.all().delete()
    config = Config(paper=Paper(impact=PaperImpact(coefficient=coefficient)))
    paper = PaperTrader(config=config, market=ReplayMarket(config))
    spent = Decimal(0)
    for number in range(16):
        side, sign = ("BUY", 1) if number < 8 else ("SELL", -1)
        at = OPENS[0] + timedelta(minutes=10 + 4 * number, seconds=20)
        ticket = Ticket(f"r{number}", "default", "AAA", side, 500, Decimal(100 + sign * 5))
        answer = paper.place(ticket, now=at)
        assert answer.filled_quantity == 500
        spent += sign * sum(each.price * each.quantity for each in answer.executions)
    return spent
