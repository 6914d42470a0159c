"""Finished orders worked again, by every algorithm, on the tape of their day: computed, stored."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from deepstack.config import Config
from deepstack.database.advisory_locks import REPLAYING, alone
from execution.domain.algorithms.registry import ALGOS
from execution.domain.exchange_time import day_begins, exchange_day, exchange_time
from execution.domain.lifecycle import ORDER_TERMINAL, OrderStatus
from execution.market.base import MarketData, MarketDataUnavailable
from execution.market.own_impact import recorded
from execution.models import Order
from execution.orders import order_settings
from execution.orders.results import arrival_price
from monitoring.clocks import Moment
from monitoring.models import OrderReplay
from monitoring.replays import outcome
from monitoring.replays.recorded_day import RecordedDay
from monitoring.replays.ways import NotReplayed, Ways
from monitoring.replays.working import Terms, work
from monitoring.reporting.tca import Executed

OLDEST = timedelta(days=5)  # a night that was missed is caught up
BATCH = 100
PATIENCE = 1.5  # seconds of a turn: the threads of a worker have orders to send, too
WORKED = sorted(ORDER_TERMINAL - {OrderStatus.DENIED})
FIGURES = [
    field.name
    for field in OrderReplay._meta.concrete_fields
    if field.name not in ("id", "order", "algorithm")
]


class TooEarly(Exception):
    """A window reaches beyond what the market has shown by now; the words say until when."""


def replay_due(
    *,
    moment: Moment,
    market: MarketData,
    config: Config,
    stopwatch: Callable[[], float] = monotonic,
) -> Sequence[int]:
    """Replay orders of exchange dates that are over, oldest first, for PATIENCE seconds; returns
    them. Nothing while another process is at it; stops when the market data are silent."""
    done: list[int] = []
    stop = stopwatch() + PATIENCE
    with alone(REPLAYING) as mine:
        for order in _due(moment) if mine else ():
            try:
                replay(order, ALGOS, moment=moment, market=market, config=config)
            except (MarketDataUnavailable, TooEarly):
                break
            done.append(order.pk)
            if stopwatch() > stop:
                break
    return done


def _due(moment: Moment) -> Sequence[Order]:
    today = day_begins(exchange_day(moment.now))
    ended = Order.objects.annotate(ended=Coalesce("finished_at", "created_at"))
    ended = ended.filter(ended__gte=today - OLDEST, ended__lt=today, status__in=WORKED)
    known = OrderReplay.objects.filter(order=OuterRef("pk"))
    return list(ended.filter(~Exists(known)).order_by("ended", "pk")[:BATCH])


def replay(
    order: Order,
    algorithms: Collection[str],
    *,
    moment: Moment,
    market: MarketData,
    config: Config,
) -> Sequence[OrderReplay]:
    """Work an order that has ended by each algorithm, and store what came of it, in place of what
    was stored before. Raises TooEarly, MarketDataUnavailable."""
    rows = _rows(order, algorithms, moment, recorded(market), config)
    with transaction.atomic():
        OrderReplay.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["order", "algorithm"],
            update_fields=FIGURES,
        )
    return rows


def _rows(
    order: Order,
    algorithms: Collection[str],
    moment: Moment,
    market: MarketData,
    config: Config,
) -> Sequence[OrderReplay]:
    config, session = (
        order_settings.applied(config, order.own_settings),
        market.session(order.start_at),
    )
    if session is None:
        problem = f"the exchange was closed at {exchange_time(order.start_at)}"
        return [_row(order, name, moment, problem=problem) for name in algorithms]
    ways = _terms(Ways(order, session, config), algorithms)
    ends = [terms.spec.end for terms in ways.values() if isinstance(terms, Terms)]
    until = max([order.finished_at or order.end_at, *ends])
    if moment.now < until:
        raise TooEarly(f"its longest window lasts until {exchange_time(until)}")
    day = RecordedDay(order, session, market, config, until)
    return [_replayed(day, name, terms, moment) for name, terms in ways.items()]


def _terms(ways: Ways, algorithms: Collection[str]) -> Mapping[str, Terms | str]:
    """Of each algorithm the terms, or why there are none."""
    found: dict[str, Terms | str] = {}
    for name in algorithms:
        try:
            found[name] = ways.terms(name)
        except NotReplayed as error:
            found[name] = str(error)
    return found


def _replayed(day: RecordedDay, algorithm: str, terms: Terms | str, moment: Moment) -> OrderReplay:
    order, arrival = day.order, arrival_price(day.order)
    if isinstance(terms, str):
        return _row(order, algorithm, moment, problem=terms)
    if arrival is None:
        return _row(order, algorithm, moment, problem="no quote at its arrival")
    final = day.tape.mid(day.until)
    if day.problem or final is None:
        return _row(order, algorithm, moment, problem=day.problem)
    try:
        done = work(terms, day.tape, day.exchange)
    except ValueError as error:
        return _row(order, algorithm, moment, problem=str(error))
    found = outcome.of(terms, done, day.tape, arrival=arrival, final=final)
    row = _row(order, algorithm, moment, **asdict(found))
    row.start_at, row.end_at, row.final_price = terms.spec.start, terms.spec.end, final
    row.assumes = day.assumptions
    if row.own:
        row.actual_bps = _actual(order, arrival=arrival, final=final)
    return row


def _actual(order: Order, *, arrival: Decimal, final: Decimal) -> Decimal:
    done = Executed(order.filled_quantity, order.filled_notional, order.commission)
    return outcome.shortfall_bps(
        order.side_sign, order.quantity, done, arrival=arrival, final=final
    )


def _row(order: Order, algorithm: str, moment: Moment, **values: Any) -> OrderReplay:
    problem = values.pop("problem", "")
    return OrderReplay(
        order=order,
        algorithm=algorithm,
        own=algorithm == order.algorithm,
        problem=problem[:200],
        computed_at_real=moment.real_now,
        **values,
    )
