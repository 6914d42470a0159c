"""What a signal may say, field by field."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from execution.domain.signal import _READERS, InvalidSignal, Signal, parse

GOOD: dict[str, Any] = {"symbol": "AAPL", "side": "BUY", "quantity": 100}


def test_every_field_of_a_signal_can_be_given() -> None:
    read = {"window" if name == "window_minutes" else name for name in _READERS}
    assert read == {field.name for field in fields(Signal)}


@pytest.mark.parametrize(
    ("given", "field", "expected"),
    [
        ({"symbol": "BRK.B"}, "symbol", "BRK.B"),
        ({"quantity": "4000"}, "quantity", 4000),
        ({"decision_price": 150.1}, "decision_price", Decimal("150.1")),
        ({"decision_price": "0.0001"}, "decision_price", Decimal("0.0001")),
        ({"limit_price": None}, "limit_price", None),
        ({"window_minutes": 1.5}, "window", timedelta(seconds=90)),
        (
            {"start_at": "2026-11-23T10:00:00-05:00"},
            "start_at",
            datetime(2026, 11, 23, 15, tzinfo=UTC),
        ),
        ({"strategy": ""}, "strategy", ""),
    ],
)
def test_a_good_value_is_read(given: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(parse(GOOD | given), field) == expected


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"symbol": "aapl"}, "symbol"),
        ({"symbol": "AAPL; DROP TABLE"}, "symbol"),
        ({"symbol": 7}, "symbol"),
        ({"symbol": None}, "symbol"),
        ({"side": "HOLD"}, "side"),
        ({"side": "buy"}, "side"),
        ({"urgency": "ASAP"}, "urgency"),
        ({"algorithm": "SNIPER"}, "algorithm"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": 10**9 + 1}, "quantity"),
        ({"quantity": "many"}, "quantity"),
        ({"decision_price": 0}, "decision_price"),
        ({"decision_price": -1}, "decision_price"),
        ({"decision_price": float("nan")}, "decision_price"),
        ({"decision_price": float("inf")}, "decision_price"),
        ({"decision_price": "1e999"}, "decision_price"),
        ({"decision_price": "0.0000001"}, "decision_price"),
        ({"limit_price": "cheap"}, "limit_price"),
        ({"limit_price": True}, "limit_price"),
        ({"average_daily_volume": 0}, "average_daily_volume"),
        ({"slices": 101}, "slices"),
        ({"slices": 0}, "slices"),
        ({"window_minutes": 0}, "window_minutes"),
        ({"window_minutes": float("nan")}, "window_minutes"),
        ({"window_minutes": 24 * 60 + 1}, "window_minutes"),
        ({"start_at": "2026-11-23T10:00:00"}, "start_at"),
        ({"start_at": "tomorrow"}, "start_at"),
        (
            {"start_at": "2026-11-23T10:00:00Z", "end_at": "2026-11-23T10:00:00Z"},
            "end_at",
        ),
        ({"end_at": "2026-11-23T10:00:00Z", "window_minutes": 5}, "end_at"),
        ({"client_reference": "two words"}, "client_reference"),
        ({"account": "a" * 33}, "account"),
        ({"vwap_deviation_threshold": 0}, "vwap_deviation_threshold"),
        ({"vwap_deviation_threshold": Decimal("NaN")}, "vwap_deviation_threshold"),
        ({"vwap_deviation_threshold": "much"}, "vwap_deviation_threshold"),
        ({"qty": 5}, "qty"),
    ],
)
def test_a_bad_value_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidSignal) as refused:
        parse(GOOD | given)
    assert list(refused.value.errors) == [field]


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(InvalidSignal) as refused:
        parse({"symbol": "?", "side": "?", "colour": "red"})
    assert set(refused.value.errors) == {"symbol", "side", "quantity", "colour"}
