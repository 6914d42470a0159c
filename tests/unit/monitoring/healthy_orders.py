"""Facts of a healthy order, and what the rules find in them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from execution.domain.lifecycle import OrderStatus as O
from monitoring.alerting import rules
from monitoring.alerting.rules import AlertSeverity, ExecutionFacts, Thresholds

D = Decimal

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

LIMITS = Thresholds(
    slippage_bps=D(20),
    vwap_deviation=D("0.01"),
    failed_orders=3,
    slow_factor=1.5,
    rejected_children=3,
    settling=timedelta(seconds=30),
    unknown=timedelta(seconds=60),
    late=timedelta(seconds=10),
)


def minutes(count: float) -> datetime:
    return START + timedelta(minutes=count)


FILLED = ExecutionFacts(
    order_id=7,
    account="main",
    strategy="momentum",
    symbol="AAPL",
    side="BUY",
    algorithm="TWAP",
    status=O.FILLED,
    reason="",
    quantity=1_000,
    filled=1_000,
    day="2026-03-02",
    start_at=START,
    end_at=minutes(60),
    finished_at=minutes(58),
    now=minutes(58),
    average_price=D(150),
    market_vwap=D(150),
    slippage_bps=D(3),
)

WORKING = replace(FILLED, status=O.WORKING, finished_at=None, filled=500, now=minutes(30))


def severity_of(
    rule: rules.Rule, facts: ExecutionFacts, changes: Mapping[str, Any]
) -> AlertSeverity | None:
    finding = rule(replace(facts, **changes), LIMITS)
    return finding.severity if finding else None
