"""Which algorithm works an order."""

from decimal import Decimal

import pytest

from execution.domain.routing import Thresholds, choose

RULES = Thresholds(Decimal(10_000), Decimal(100_000))


@pytest.mark.parametrize(
    ("asked", "urgency", "notional", "regular_hours", "algorithm"),
    [
        (None, "NORMAL", "9999.99", True, "MARKET"),
        (None, "NORMAL", "10000", True, "TWAP"),
        (None, "NORMAL", "100000", True, "TWAP"),
        (None, "NORMAL", "100000.01", True, "VWAP"),
        (None, "HIGH", "500000", True, "MARKET"),
        (None, "IMMEDIATE", "50000", True, "MARKET"),
        (None, "LOW", "5000", True, "LIMIT"),
        (None, "LOW", "500000", True, "LIMIT"),
        (None, "NORMAL", "5000", False, "LIMIT"),
        (None, "IMMEDIATE", "5000", False, "LIMIT"),
        ("TWAP", "IMMEDIATE", "5000", True, "TWAP"),
        ("MARKET", "LOW", "500000", True, "MARKET"),
    ],
)
def test_size_and_urgency_choose_unless_the_caller_does(
    asked: str | None, urgency: str, notional: str, regular_hours: bool, algorithm: str
) -> None:
    route = choose(
        asked=asked,
        urgency=urgency,
        notional=Decimal(notional),
        regular_hours=regular_hours,
        thresholds=RULES,
    )
    assert route.algorithm == algorithm
    assert route.reason
