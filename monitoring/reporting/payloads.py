"""What callers get about a day, a score and the present: plain mappings."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypedDict

from monitoring.reporting.aggregates import Tally


class Figures(TypedDict):
    """Of the orders that ended on the day. Costs in bps, + = cost; None where it is not known.

    `success_rate` is filled orders over finished orders, 0.0 when none finished; a denied order
    is a finished one. `total_volume` is shares, `total_value` money.
    """

    total_executions: int
    success_rate: float
    filled_orders: int
    failed_orders: int
    cancelled_orders: int
    slow_orders: int
    fill_rate: float | None
    preliminary_orders: int  # executed, and the market's figures of them may still change
    total_volume: int
    total_value: Decimal
    commission: Decimal
    slippage_bps: Decimal | None
    estimated_slippage_bps: Decimal | None
    vwap_bps: Decimal | None
    shortfall_bps: Decimal | None


class Summary(Figures):
    date: dt.date
    account: str  # empty: all accounts
    alerts_generated: int
    alerts: Mapping[str, int]  # by severity
    by_algorithm: Mapping[str, Figures]


class Live(TypedDict):
    orders: int
    ordered: int
    executed: int


class QualityScore(TypedDict):
    """`breakdown` has the components that are known; `unknown` names the others."""

    quality_score: float
    grade: str
    breakdown: Mapping[str, float]
    unknown: Sequence[str]
    executions: int
    date: dt.date


class Dashboard(TypedDict):
    today: Summary
    active_alerts: Mapping[str, int]  # total, critical, warning, info
    live: Live
    quality: QualityScore


def figures(tally: Tally) -> Figures:
    return {
        "total_executions": tally.orders,
        "success_rate": tally.success_rate,
        "filled_orders": tally.filled_orders,
        "failed_orders": tally.failed_orders,
        "cancelled_orders": tally.cancelled_orders,
        "slow_orders": tally.slow_orders,
        "fill_rate": tally.fill_rate,
        "preliminary_orders": tally.preliminary_orders,
        "total_volume": tally.volume,
        "total_value": tally.value,
        "commission": tally.commission,
        "slippage_bps": tally.slippage_bps,
        "estimated_slippage_bps": tally.estimated_slippage_bps,
        "vwap_bps": tally.vwap_bps,
        "shortfall_bps": tally.shortfall_bps,
    }
