"""One order as its page shows it now: forecast, costs before, now and final, and its alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count

from execution.domain.costs import Basis
from execution.market import market_data
from execution.models import Order
from execution.orders import queries, results
from monitoring.clocks import Moment
from monitoring.models import ACTIVE, Alert, CostAnalysis, OrderReplay
from monitoring.operations import live_orders
from monitoring.replays import words

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Against one benchmark, + is a cost. `expected` and `deviation` (either way) as they were
    estimated before the first child, `if_filled` where that is the price of a limit which the
    market may never come to; `bps` and `dollars` so far, or at the end."""

    name: str
    benchmark: Decimal | None = None
    expected: float | None = None
    deviation: float | None = None
    bps: float | None = None
    expected_dollars: Decimal | None = None
    dollars: Decimal | None = None
    if_filled: bool = False


def of(order: Order, moment: Moment) -> Mapping[str, Any]:
    """Five queries, and the market data of the order's window while they are not final."""
    analysis = CostAnalysis.objects.filter(order=order).first()
    if analysis is not None:
        analysis.order = order
    final = analysis is not None and analysis.final
    return {
        "now": live_orders.of_one(order, moment.now),
        "average": results.average_price(order),
        "costs": _costs(order, analysis, moment, final=final),
        "final": final,
        "analysis": analysis,
        "replays": _replays(order),
        "alerts": Alert.objects.filter(order=order).aggregate(
            active=Count("pk", filter=ACTIVE), all=Count("pk")
        ),
    }


def _replays(order: Order) -> Mapping[str, Any]:
    """What the ways of working an order that has ended would have cost, the cheapest first; empty
    where it was not replayed."""
    rows = list(OrderReplay.objects.filter(order=order)) if order.is_terminal else []
    known = [row for row in rows if row.shortfall_bps is not None]
    return {
        "rows": sorted(known, key=lambda row: row.shortfall_bps or 0),
        "problems": words.problems(rows),
        "assumptions": words.assumptions(known),
    }


def _costs(
    order: Order, analysis: CostAnalysis | None, moment: Moment, *, final: bool
) -> Sequence[Cost]:
    costs = [_against_arrival(order)]
    if final and analysis is not None:
        if analysis.market_vwap is not None:
            usual = results.typical_vwap_deviation_bps(order)
            vwap_bps = _float(analysis.vwap_bps)
            costs.append(Cost("market VWAP", analysis.market_vwap, deviation=usual, bps=vwap_bps))
    elif seen := queries.tracking(order, market_data(), now=moment.now):
        costs.append(
            Cost(
                "market VWAP",
                seen.market_vwap,
                deviation=seen.typical_bps,
                bps=seen.deviation_bps,
            )
        )
    if analysis is not None and analysis.shortfall_bps is not None:
        costs.append(_shortfall(analysis))
    return costs


def _against_arrival(order: Order) -> Cost:
    arrival, average = results.arrival_price(order), results.average_price(order)
    expected = order.estimated_slippage_bps
    paid = None
    if arrival is not None and average is not None:
        paid = order.side_sign * (average - arrival) * order.filled_quantity
    return Cost(
        "arrival mid",
        arrival,
        expected=expected,
        deviation=results.estimated_standard_error_bps(order),
        bps=results.actual_slippage_bps(order),
        expected_dollars=None
        if arrival is None or expected is None
        else Decimal(expected) * arrival * order.quantity / BPS,
        dollars=paid,
        if_filled=order.routing.get("estimate", {}).get("basis") == Basis.IF_FILLED,
    )


def _shortfall(analysis: CostAnalysis) -> Cost:
    parts = (analysis.delay, analysis.trading, analysis.opportunity, analysis.fees)
    known = [part for part in parts if part is not None]
    return Cost(
        "decision price (implementation shortfall)",
        bps=_float(analysis.shortfall_bps),
        dollars=sum(known, Decimal(0)) if len(known) == len(parts) else None,
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
