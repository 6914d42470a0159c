"""What a Python caller gives is what counts, and what is said about it names what was written."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from execution import context as contexts
from execution.broker.order_manager import OrderManager
from execution.domain.signal import InvalidSignal
from execution.router import ExecutionRouter
from execution.slippage import SlippageModel
from execution.twap import TWAPExecutor
from execution.vwap import VWAPExecutor
from monitoring.monitor import ExecutionMonitor


def manager() -> OrderManager:
    return contexts.default().broker


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"action": "HOLD"}, {"action"}),
        ({"action": ""}, {"action"}),
        ({"current_price": 0}, {"current_price"}),
        ({"current_price": "1_0"}, {"current_price"}),
        ({"time_window_minutes": 0}, {"time_window_minutes"}),
        ({"time_window_minutes": 1e-300}, {"time_window_minutes"}),
        ({"num_slices": 0}, {"num_slices"}),
        ({"num_slices": 101}, {"num_slices"}),
        ({"avg_daily_volume": 0}, {"avg_daily_volume"}),
        ({"max_participation": 0}, {"max_participation"}),
        ({"algorithm": ""}, {"algorithm"}),
        ({"urgency": ""}, {"urgency"}),
        ({"account": ""}, {"account"}),
        ({"residual": "FORCE", "residual_minutes": 0}, {"residual_minutes"}),
        ({"decision_price": 2}, {"decision_price"}),
        ({"side": "SELL"}, {"side"}),
        ({"window_minutes": 5, "slices": 3}, {"window_minutes", "slices"}),
        ({"notional": 5_000}, {"notional"}),
        ({"action": "HOLD", "num_slices": 0}, {"action", "num_slices"}),
    ],
)
def test_the_router_names_the_argument(given: dict[str, Any], named: set[str]) -> None:
    asked = {"symbol": "AAPL", "quantity": 100, "action": "BUY", "current_price": 150} | given
    with pytest.raises(InvalidSignal) as refused:
        asyncio.run(ExecutionRouter(manager()).preview(**asked))
    assert set(refused.value.errors) == named


def test_a_sentence_about_two_arguments_names_both_as_they_are_written() -> None:
    asked = {"time_window_minutes": 5, "end_at": "2050-01-03T15:00:00Z"}
    with pytest.raises(InvalidSignal, match="either end_at or time_window_minutes"):
        asyncio.run(ExecutionRouter(manager()).preview("AAPL", 100, "BUY", 150, **asked))
    with pytest.raises(InvalidSignal, match="action: must be one of BUY, SELL, got 'side'"):
        asyncio.run(ExecutionRouter(manager()).preview("AAPL", 100, "side", 150))


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (TWAPExecutor, {"default_time_window": 0}),
        (TWAPExecutor, {"default_time_window": float("nan")}),
        (TWAPExecutor, {"default_num_slices": 0}),
        (VWAPExecutor, {"default_num_slices": 1.5}),
        (VWAPExecutor, {"vwap_deviation_threshold": 0.0}),
        (VWAPExecutor, {"vwap_deviation_threshold": 1e-300}),
        (ExecutionRouter, {"small_order_threshold": float("nan")}),
        (ExecutionRouter, {"small_order_threshold": -1}),
        (ExecutionRouter, {"large_order_threshold": Decimal("Infinity")}),
        (ExecutionRouter, {"large_order_threshold": "1_0"}),
    ],
)
def test_a_default_that_no_order_could_use_is_refused_at_once(
    make: Any, given: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))}: must be"):
        make(manager(), **given)


@pytest.mark.parametrize(
    "given",
    [
        {"impact_coefficient": float("nan")},
        {"impact_coefficient": -0.1},
        {"base_spread_bps": float("inf")},
        {"urgency_multiplier": 0.5},
        {"urgency_multiplier": 0},
        {"model": ""},
    ],
)
def test_a_cost_model_is_made_of_numbers_that_mean_something(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))} = "):
        SlippageModel(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"action": "HOLD"},
        {"current_price": 0},
        {"current_price": None},
        {"avg_daily_volume": 0},
        {"volatility": float("nan")},
        {"volatility": 0},
        {"spread_bps": -1},
        {"spread_bps": float("inf")},
        {"days": 0},
        {"days": -1},
    ],
)
def test_an_estimate_names_the_argument(given: dict[str, Any]) -> None:
    asked = {"symbol": "AAPL", "quantity": 100, "action": "BUY", "current_price": 150.0} | given
    with pytest.raises(ValueError, match=f"{next(iter(given))}: "):
        SlippageModel().estimate_slippage(**asked)


@pytest.mark.parametrize("given", [{"symbol": "aapl"}, {"symbol": "A\0"}, {"limit": "ten"}])
def test_a_history_names_the_argument(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))}: must be"):
        SlippageModel().history(**given)


def test_given_zeros_are_values() -> None:
    model = SlippageModel(base_spread_bps=0, impact_coefficient=0)
    estimate = model.estimate_slippage("AAPL", "100", "BUY", "150", 1_000_000)  # type: ignore[arg-type]
    assert (estimate.slippage_bps, estimate.slippage_dollars) == (0, 0)


@pytest.mark.parametrize(
    "given",
    [
        {"slippage_threshold_bps": 0},
        {"slippage_threshold_bps": "1_0"},
        {"vwap_deviation_threshold": float("inf")},
        {"failed_order_threshold": 0},
        {"failed_order_threshold": True},
        {"failed_order_threshold": 2.0},
    ],
)
def test_a_monitor_is_told_thresholds_that_can_be_passed(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))}: "):
        ExecutionMonitor(**given)
