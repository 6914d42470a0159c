"""Which checks an order meets, each of its children, an intent that is sent once more, and what is
looked at last."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from execution.domain import risk_checks
from execution.domain.risk_checks import Exposure, Heat, first_denial
from tests.unit.domain.test_checks import BOUNDS, FINE, NOW

TABLES = {
    "order": risk_checks.PARENT_CHECKS,
    "child": risk_checks.CHILD_CHECKS,
    "again": risk_checks.RESEND_CHECKS,
    "last": risk_checks.LAST_CHECKS,
}
LATE = NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("code", "fact", "known", "bound", "held"),
    [
        ("TRADING_HALTED", {"halts": (("SYSTEM", "HALTED"),)}, {}, {}, "order child again last"),
        (
            "REDUCING_ONLY",
            {"halts": (("ACCOUNT main", "REDUCING"),)},
            {"position": 0, "pending": 0},
            {},
            "order child again last",
        ),
        ("SYMBOL_RESTRICTED", {}, {"restricted": "merger"}, {}, "order child again"),
        ("POSITION_BREAK", {}, {"broken": ("0", "480")}, {}, "order child again last"),
        ("QUANTITY_EXCEEDS_MAX", {}, {}, {"max_quantity": 99}, "order child again"),
        ("NOTIONAL_EXCEEDS_MAX", {}, {}, {"max_notional": D(10_004)}, "order child again"),
        ("ADV_SHARE_EXCEEDS_MAX", {"average_daily_volume": 399}, {}, {}, "order child again"),
        ("DECISION_PRICE_OFF_MARKET", {"decision_price": D("1.5")}, {}, {}, "order child"),
        ("WOULD_PRICE_OFF_MARKET", {"would_price": D("1000")}, {}, {}, "order child"),
        ("PRICE_OUTSIDE_COLLAR", {"limit_price": D("105.01")}, {}, {}, "order child"),
        (
            "POSITION_EXCEEDS_MAX",
            {},
            {"position": 401, "pending": 0},
            {"max_position": 500},
            "order child again",
        ),
        ("OPPOSITE_ORDER_WORKING", {}, {"opposing": D("100.05")}, {}, "order child again last"),
        (
            "DUPLICATE_ORDER",
            {},
            {"duplicate_of": "7"},
            {"duplicate_seconds": 5.0},
            "order child again",
        ),
        (
            "OPEN_ORDERS_EXCEED_MAX",
            {},
            {"open_orders": 3},
            {"max_open_orders": 2},
            "order child again",
        ),
        (
            "REPEATED_EXECUTION",
            {},
            {"recent_orders": 10},
            {"max_orders_per_minute": 9},
            "order child again",
        ),
        (
            "DAILY_LOSS",
            {},
            {"day_result": D(-101)},
            {"max_daily_loss": D(100)},
            "order child again",
        ),
        ("BUYING_POWER", {}, {"unspent": D(1)}, {"within_buying_power": True}, "order child again"),
        (
            "HEAT_EXCEEDS_MAX",
            {},
            {"heat": Heat(D("0.01"), D("0.03"))},
            {"max_portfolio_heat": D("0.02")},
            "order child again",
        ),
        (
            "MESSAGE_RATE_EXCEEDED",
            {},
            {"recent_messages": 9},
            {"max_messages_per_minute": 9},
            "child again",
        ),
        ("SYMBOL_HALTED", {"halted_since": LATE}, {}, {}, "child again last"),
        ("QUOTE_STALE", {"quoted_at": LATE}, {}, {}, "child"),
    ],
)
def test_who_is_held_to_it(
    code: str, fact: dict[str, Any], known: dict[str, Any], bound: dict[str, Any], held: str
) -> None:
    facts = replace(FINE, **fact, exposure=Exposure(**known))
    denials = {
        name: first_denial(table, facts, replace(BOUNDS, **bound)) for name, table in TABLES.items()
    }
    assert {name: each.code for name, each in denials.items() if each} == dict.fromkeys(
        held.split(), code
    )


def test_what_is_fine_passes_them_all() -> None:
    for table in TABLES.values():
        assert first_denial(table, FINE, BOUNDS) is None
