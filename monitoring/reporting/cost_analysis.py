"""The cost analysis of orders: what is due is claimed, computed and stored."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from time import monotonic

from django.db.models import F, Max, Q

from deepstack.database.advisory_locks import ANALYSING, alone
from execution.domain.lifecycle import ORDER_TERMINAL, OrderStatus
from execution.market.base import MarketData, MarketDataUnavailable, TapeBar
from execution.models import Order
from execution.orders import queries
from execution.orders.results import arrival_price
from monitoring.clocks import Moment
from monitoring.models import CostAnalysis
from monitoring.reporting import late_benchmarks, spread_capture, tca
from monitoring.reporting.mids import mid_at

MINUTE = timedelta(minutes=1)
# The price so long after the end shows how much of the cost came back.
REVERSION = timedelta(minutes=5)
# Participation weighted prices: the field of each, and its rate.
PWP_RATES = {
    "pwp5_bps": Decimal("0.05"),
    "pwp10_bps": Decimal("0.1"),
    "pwp_bps": Decimal("0.2"),
}
# Between two tries while the market data are silent; also the lease of a computation.
PAUSE = timedelta(seconds=60)
MAX_ATTEMPTS = 60
BATCH = 200
PATIENCE = 1.5  # seconds
MAX_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Window:
    """The stated window of an order's benchmarks: from its start to its last possible share.

    A bar belongs to it when the two overlap. Of the one that was under way at the start only the
    part after it counts; of the last one, in which the order may still have traded, all.
    """

    start: datetime
    end: datetime

    @classmethod
    def of(cls, order: Order, now: datetime) -> "Window":
        """That of a live order ends now."""
        start, end = queries.window(order)
        return cls(start, end if order.is_terminal else max(min(end, now), start))

    @property
    def first_minute(self) -> datetime:
        return self.start.replace(second=0, microsecond=0)

    @property
    def settled(self) -> datetime:
        """From here on the market has shown all that the analysis asks."""
        return self.end + REVERSION + MINUTE

    def overlaps(self, bar: TapeBar) -> bool:
        return bar.start < self.end and self.start < bar.end


def note_changes(order_ids: Iterable[int], *, moment: Moment) -> None:
    """Make due the analyses of the orders that have executions or an end, and newer events.

    A finished order is due at once, a live one not more often than once in PAUSE.
    """
    latest = (
        Order.objects.filter(pk__in=list(order_ids))
        .filter(Q(status__in=ORDER_TERMINAL) | Q(filled_quantity__gt=0))
        .exclude(status=OrderStatus.DENIED)
        .annotate(last=Max("events__pk"))
        .filter(last__isnull=False)
        .values_list("pk", "status", "last")
        .order_by()
    )
    known = CostAnalysis.objects.only("event_id", "computed_at_real").in_bulk(
        [order_id for order_id, _, _ in latest]
    )
    CostAnalysis.objects.bulk_create(
        [
            CostAnalysis(
                order_id=order_id,
                event_id=last,
                due_at_real=_due(known.get(order_id), status, moment),
            )
            for order_id, status, last in latest
            if order_id not in known or known[order_id].event_id < last
        ],
        update_conflicts=True,
        unique_fields=["order"],
        update_fields=["event_id", "due_at_real"],
    )


def _due(known: CostAnalysis | None, status: str, moment: Moment) -> datetime:
    if known is None or known.computed_at_real is None or status in ORDER_TERMINAL:
        return moment.real_now
    return max(moment.real_now, known.computed_at_real + PAUSE)


def compute_due(
    *, moment: Moment, market: MarketData, stopwatch: Callable[[], float] = monotonic
) -> Sequence[int]:
    """Compute what is due, oldest first, for PATIENCE seconds at most; returns the orders.

    Stops early when the market data stay silent: the rest is due again a little later. Does
    nothing while another process is at it.
    """
    due = CostAnalysis.objects.filter(due_at_real__lte=moment.real_now).order_by("due_at_real")
    computed: list[int] = []
    failures, stop = 0, stopwatch() + PATIENCE
    with alone(ANALYSING) as mine:
        for analysis in list(due.select_related("order")[:BATCH]) if mine else []:
            if failures == MAX_FAILURES or stopwatch() > stop:
                break
            if not _claim(analysis, moment):
                continue  # computed by a caller of compute_now
            if compute(analysis, moment=moment, market=market):
                computed.append(analysis.order_id)
            else:
                failures += 1
    return computed


def compute_now(order_id: int, *, moment: Moment, market: MarketData) -> None:
    """Compute one order's analysis if it is due and nobody else is at it."""
    due = CostAnalysis.objects.filter(pk=order_id, due_at_real__lte=moment.real_now)
    analysis = due.select_related("order").first()
    if analysis is not None and _claim(analysis, moment):
        compute(analysis, moment=moment, market=market)


def _claim(analysis: CostAnalysis, moment: Moment) -> bool:
    updated = CostAnalysis.objects.filter(
        pk=analysis.pk, due_at_real=analysis.due_at_real, event_id=analysis.event_id
    ).update(due_at_real=moment.real_now + PAUSE, attempts=F("attempts") + 1)
    analysis.attempts += 1
    return updated == 1


def compute(analysis: CostAnalysis, *, moment: Moment, market: MarketData) -> bool:
    """Ask the market and store the figures; False when the market data are unavailable.

    Only what the market has shown by `moment` is used, so the first result may lack the
    last minute; it is due again once the minutes after the end have passed.
    """
    order = analysis.order
    window = Window.of(order, moment.now)
    try:
        figures = _figures(order, window, moment.now, market)
    except MarketDataUnavailable:
        if analysis.attempts < MAX_ATTEMPTS:
            return False
        figures = {}
    # A live order has no end yet: its next event makes it due again.
    settled = moment.now >= window.settled or not figures or not order.is_terminal
    # A later event made it due again in the meantime: what that event needs is computed then.
    CostAnalysis.objects.filter(pk=analysis.pk, event_id=analysis.event_id).update(
        due_at_real=None if settled else moment.real_time_at(window.settled),
        late_due_at_real=_late_due(order, window, moment, market),
        attempts=0,
        computed_at_real=moment.real_now,
        **figures,
    )
    return True


def _late_due(order: Order, window: Window, moment: Moment, market: MarketData) -> datetime | None:
    """When the close and the price half an hour after the end are to be asked for; None of a live
    order, and while the session is not known."""
    if not order.is_terminal:
        return None
    with suppress(MarketDataUnavailable):
        session = market.session(order.start_at)
        return moment.real_time_at(late_benchmarks.known_from(order, window.end, session))
    return None


def _figures(
    order: Order, window: Window, now: datetime, market: MarketData
) -> Mapping[str, Decimal | int | None]:
    tape = market.bars(order.symbol, window.first_minute, min(window.settled, now))
    bars = [bar for bar in tape if bar.end > window.start]
    final = mid_at(market, order.symbol, min(window.end, now))
    later = mid_at(market, order.symbol, window.end + REVERSION, now=now)
    done = tca.Executed(order.filled_quantity, order.filled_notional, order.commission)
    return {
        **_against_market(order, done, window, bars),
        "open_bps": tca.cost_bps(
            order.side_sign, done.average_price, late_benchmarks.opening_price(order, market)
        ),
        "spread_capture": spread_capture.of(order),
        **_shortfall(order, done, final),
        "final_price": final,
        "reversion_bps": _reversion(order, final, later),
    }


def _against_market(
    order: Order, done: tca.Executed, window: Window, bars: Sequence[TapeBar]
) -> Mapping[str, Decimal | int | None]:
    side, average = order.side_sign, done.average_price
    tape = tca.after_arrival(bars, window.start)
    inside = tca.after_arrival([bar for bar in bars if window.overlaps(bar)], window.start)
    vwap, twap = tca.vwap(inside), tca.twap(inside)
    pwp = {name: tca.pwp(done.quantity, rate, tape) for name, rate in PWP_RATES.items()}
    return {
        "average_price": average,
        "market_vwap": vwap,
        "market_twap": twap,
        "market_volume": sum(each.volume for each in inside) if inside else None,
        "arrival_bps": tca.cost_bps(side, average, arrival_price(order)),
        "vwap_bps": tca.cost_bps(side, average, vwap),
        "twap_bps": tca.cost_bps(side, average, twap),
        "participation": tca.participation(done.quantity, inside),
        "pwp_price": pwp["pwp_bps"],
        **{name: tca.cost_bps(side, average, price) for name, price in pwp.items()},
        "relative_performance": (
            None if average is None else tca.relative_performance(side, average, inside)
        ),
    }


def _shortfall(
    order: Order, done: tca.Executed, final: Decimal | None
) -> Mapping[str, Decimal | None]:
    arrival = arrival_price(order)
    # One that the market does not know, or was never asked about, is no benchmark.
    decision = order.decision_price if order.decision_within_collar else None
    unfilled = order.quantity - done.quantity
    if arrival is None or not decision or (final is None and unfilled):
        return dict.fromkeys(("delay", "trading", "opportunity", "fees", "shortfall_bps"))
    cost = tca.shortfall(
        order.side_sign,
        order.quantity,
        done,
        decision=decision,
        arrival=arrival,
        # Of no account when nothing is left unfilled.
        final=arrival if final is None else final,
    )
    return {
        "delay": cost.delay,
        "trading": cost.trading,
        "opportunity": cost.opportunity,
        "fees": cost.fees,
        "shortfall_bps": cost.bps,
    }


def _reversion(order: Order, final: Decimal | None, later: Decimal | None) -> Decimal | None:
    arrival = arrival_price(order)
    if arrival is None or final is None or later is None or not order.filled_quantity:
        return None
    return tca.reversion_bps(order.side_sign, arrival, final, later)
