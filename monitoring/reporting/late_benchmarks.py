"""What only the rest of the day shows of an order's cost: the close, and the price half an hour
after its end. Computed once both are known, beside the analysis that is complete long before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from execution.domain.session import Session
from execution.market.base import MarketData, MarketDataUnavailable, TapeBar
from execution.models import Order
from execution.orders.results import arrival_price
from monitoring.clocks import Moment
from monitoring.models import CostAnalysis
from monitoring.reporting import tca
from monitoring.reporting.mids import mid_at

MINUTE = timedelta(minutes=1)
LATE_REVERSION = timedelta(minutes=30)
PAUSE = timedelta(minutes=1)  # while the market data are silent
BATCH = 50


def known_from(order: Order, end: datetime, session: Session | None) -> datetime:
    """When the market has shown both."""
    after = end + LATE_REVERSION + MINUTE
    return after if session is None or session.always else max(after, session.close + MINUTE)


def complete(*, moment: Moment, market: MarketData) -> None:
    """Complete the analyses whose late benchmarks are known by now."""
    due = CostAnalysis.objects.filter(late_due_at_real__lte=moment.real_now).order_by(
        "late_due_at_real"
    )
    for cost in due.select_related("order")[:BATCH]:
        try:
            figures = _figures(cost, market)
        except MarketDataUnavailable:
            CostAnalysis.objects.filter(pk=cost.pk).update(late_due_at_real=moment.real_now + PAUSE)
            return
        CostAnalysis.objects.filter(pk=cost.pk, late_due_at_real=cost.late_due_at_real).update(
            # A day that was summed before is summed again.
            late_due_at_real=None,
            computed_at_real=moment.real_now,
            **figures,
        )


def _figures(cost: CostAnalysis, market: MarketData) -> dict[str, Decimal | None]:
    order = cost.order
    session = market.session(order.start_at)
    closing = None if session is None else _closing_price(order, session, market)
    return {
        "close_bps": tca.cost_bps(order.side_sign, cost.average_price, closing),
        "late_reversion_bps": _reversion(cost, market),
    }


def _closing_price(order: Order, session: Session, market: MarketData) -> Decimal | None:
    """Of the last trade of the regular session."""
    if session.always:
        return None
    bars = market.bars(order.symbol, session.close - LATE_REVERSION, session.close)
    return bars[-1].close if bars else None


def _reversion(cost: CostAnalysis, market: MarketData) -> Decimal | None:
    order, arrival = cost.order, arrival_price(cost.order)
    if arrival is None or cost.final_price is None or not order.filled_quantity:
        return None
    end = order.finished_at or order.end_at
    later = mid_at(market, order.symbol, end + LATE_REVERSION)
    if later is None:
        return None
    return tca.reversion_bps(order.side_sign, arrival, cost.final_price, later)


def opening_price(order: Order, market: MarketData) -> Decimal | None:
    """Of the first trade of the regular session on the order's day, where it began by then."""
    session = market.session(order.start_at)
    if session is None or session.always or order.start_at < session.open:
        return None
    bars: Sequence[TapeBar] = market.bars(order.symbol, session.open, session.open + MINUTE)
    return bars[0].open if bars else None
