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
        ({"strategy": "us-large caps"}, "strategy", "us-large caps"),
        ({"account": "paper-1"}, "account", "paper-1"),
        ({"residual": "FORCE", "residual_minutes": "2.5"}, "residual_minutes", 2.5),
        ({"residual": "CLOSE", "residual_ignores_cap": "true"}, "residual_ignores_cap", True),
        ({"residual": "LEAVE", "algorithm": "MARKET"}, "residual", "LEAVE"),
        ({"slices": 1, "algorithm": "MARKET"}, "slices", 1),
        ({"slices": 10}, "slices", 10),
        ({"aggressive_after": "0.8", "algorithm": "LIMIT"}, "aggressive_after", 0.8),
        ({"participation": "0.1", "algorithm": "POV"}, "participation", 0.1),
        ({"participation": 0.1, "max_participation": 0.1}, "participation", 0.1),
        ({"would_price": 99.5}, "would_price", Decimal("99.5")),
        ({"max_slice": 40, "lot_size": 10, "min_slice": 20}, "max_slice", 40),
        ({"native": "Adaptive", "urgency": "IMMEDIATE"}, "native", "Adaptive"),
        ({"native": "Twap", "algorithm": "LIMIT"}, "native_parameters", {}),
        (
            {"native": "Vwap", "native_parameters": "maxPctVol=0.2"},
            "native_parameters",
            {"maxPctVol": "0.2"},
        ),
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
        ({"account": "--all"}, "account"),
        ({"strategy": "-momentum"}, "strategy"),
        ({"basket": "--"}, "basket"),
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
        ({"residual": "HOPE"}, "residual"),
        ({"residual": "force"}, "residual"),
        ({"residual": "FORCE", "algorithm": "MARKET"}, "residual"),
        ({"residual": "FORCE", "residual_minutes": 0}, "residual_minutes"),
        ({"residual": "FORCE", "residual_minutes": float("inf")}, "residual_minutes"),
        ({"residual_minutes": 5}, "residual_minutes"),
        ({"residual": "LEAVE", "residual_minutes": 5}, "residual_minutes"),
        ({"residual": "EXTEND", "max_extensions": 0}, "max_extensions"),
        ({"residual": "EXTEND", "max_extensions": 101}, "max_extensions"),
        ({"residual": "FORCE", "max_extensions": 2}, "max_extensions"),
        ({"residual": "FORCE", "residual_ignores_cap": "yes"}, "residual_ignores_cap"),
        ({"residual": "FORCE", "residual_ignores_cap": 1}, "residual_ignores_cap"),
        ({"residual": "EXTEND", "residual_ignores_cap": True}, "residual_ignores_cap"),
        ({"aggressive_after": 0}, "aggressive_after"),
        ({"aggressive_after": 1}, "aggressive_after"),
        ({"aggressive_after": 0.5, "algorithm": "TWAP"}, "aggressive_after"),
        ({"participation": 0.1, "algorithm": "TWAP"}, "participation"),
        ({"participation": 0.2, "max_participation": 0.1}, "participation"),
        ({"native": "Vwap", "participation": 0.2}, "participation"),
        ({"would_price": -1}, "would_price"),
        ({"would_price": 10, "algorithm": "LIMIT"}, "would_price"),
        ({"lot_size": 0}, "lot_size"),
        ({"lot_size": 1.5}, "lot_size"),
        ({"min_slice": 101}, "min_slice"),
        ({"min_slice": 50, "max_slice": 40}, "max_slice"),
        ({"lot_size": 50, "max_slice": 40}, "max_slice"),
        ({"max_slice": True}, "max_slice"),
        ({"max_slice": 10, "algorithm": "MARKET"}, "max_slice"),
        ({"slices": 2, "algorithm": "MARKET"}, "slices"),
        ({"slices": 10, "algorithm": "LIMIT"}, "slices"),
        ({"vwap_deviation_threshold": 0.01, "algorithm": "LIMIT"}, "vwap_deviation_threshold"),
        ({"native": "Iceberg"}, "native"),
        ({"native": "adaptive"}, "native"),
        ({"native": "Twap", "algorithm": "TWAP"}, "native"),
        ({"native": "Twap", "urgency": "HIGH"}, "urgency"),
        ({"native": "Twap", "slices": 4}, "slices"),
        ({"native": "Twap", "residual": "FORCE"}, "residual"),
        ({"native": "Adaptive", "aggressive_after": 0.5}, "aggressive_after"),
        ({"native": "Adaptive", "max_participation": 0.2}, "max_participation"),
        ({"native": "Vwap", "native_parameters": {"maxPctVol": 0.6}}, "native_parameters"),
        ({"native": "Vwap", "native_parameters": "fast"}, "native_parameters"),
        ({"native_parameters": {"maxPctVol": 0.2}}, "native_parameters"),
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


ALIASED: dict[str, Any] = {
    "symbol": "AAPL",
    "action": "SELL",
    "quantity": 100,
    "execution_type": "TWAP",
    "current_price": "150.25",
    "avg_daily_volume": 9_000_000,
    "time_window_minutes": 30,
    "num_slices": 5,
}
OWN_NAMES: dict[str, Any] = {
    "symbol": "AAPL",
    "side": "SELL",
    "quantity": 100,
    "algorithm": "TWAP",
    "decision_price": "150.25",
    "average_daily_volume": 9_000_000,
    "window_minutes": 30,
    "slices": 5,
}


def test_a_field_is_read_by_its_other_name_too() -> None:
    assert parse(ALIASED) == parse(OWN_NAMES)


def test_two_names_of_one_field_may_say_the_same() -> None:
    same = {"decision_price": 150.250, "side": "SELL", "slices": "5", "algorithm": None}
    assert parse(ALIASED | same) == parse(OWN_NAMES)


@pytest.mark.parametrize(
    ("given", "alias"),
    [
        ({"side": "BUY"}, "action"),
        ({"decision_price": "151"}, "current_price"),
        ({"average_daily_volume": 1}, "avg_daily_volume"),
        ({"window_minutes": 31}, "time_window_minutes"),
        ({"slices": "six"}, "num_slices"),
        ({"algorithm": "VWAP"}, "execution_type"),
    ],
)
def test_two_names_of_one_field_that_differ_are_refused(given: dict[str, Any], alias: str) -> None:
    [(field, value)] = given.items()
    with pytest.raises(InvalidSignal) as refused:
        parse(ALIASED | given)
    assert f"means {field}, which is given as {value!r}" in str(refused.value)
    assert alias in str(refused.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"action": "HOLD"}, {"action"}),
        ({"num_slices": 0, "time_window_minutes": -1}, {"num_slices", "time_window_minutes"}),
        ({"num_slices": 101}, {"num_slices"}),
        ({"action": None}, {"side"}),
        ({"execution_type": ""}, {"execution_type"}),
    ],
)
def test_what_is_wrong_is_named_as_the_caller_wrote_it(
    given: dict[str, Any], named: set[str]
) -> None:
    with pytest.raises(InvalidSignal) as refused:
        parse(ALIASED | given)
    assert set(refused.value.errors) == named


def test_a_sentence_about_two_fields_uses_the_alias_that_was_written() -> None:
    with pytest.raises(InvalidSignal, match="either end_at or time_window_minutes"):
        parse(ALIASED | {"end_at": "2050-01-03T15:00:00Z"})
