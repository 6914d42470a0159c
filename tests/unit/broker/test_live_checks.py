"""What must be set before real orders leave; whatever is missing refuses to start."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from deepstack.config import Config, ConfigError, Execution, Limits, Scheduling
from deepstack.config_market import Market
from execution.broker.live_readiness import CHOSEN_LIMITS, live_problems
from execution.broker.order_manager import OrderManager
from execution.checks import name_problems

LIMITS: dict[str, Any] = {
    "max_order_quantity": 1_000,
    "max_order_notional": Decimal(100_000),
    "max_position": 2_000,
    "max_messages_per_minute": 60,
    "max_daily_loss": Decimal(2_000),
}
ALPACA: dict[str, Any] = {
    "trading_mode": "live",
    "live_broker": "alpaca",
    "live_trading_confirmed": True,
    "live_broker_is_simulator": False,
    "alpaca_base_url": "https://paper-api.alpaca.markets",
    "alpaca_api_key": "key",
    "alpaca_secret_key": SecretStr("secret"),
    "market": Market(source="alpaca"),
    "limits": Limits(**LIMITS),
}
IBKR = ALPACA | {"live_broker": "ibkr", "ibkr_client_id": 17}
HERE = "http://127.0.0.1:8090"


def without(limit: str) -> Limits:
    return Limits(**{name: value for name, value in LIMITS.items() if name != limit})


def leased(seconds: float) -> Execution:
    return Execution(scheduling=Scheduling(lease_seconds=seconds))


def ids(config: Config) -> list[str]:
    return [str(problem.id).removeprefix("execution.") for problem in live_problems(config)]


@pytest.mark.parametrize(
    ("base", "change", "found"),
    [
        (ALPACA, {}, []),
        (IBKR, {}, []),
        (ALPACA, {"trading_mode": "paper", "limits": Limits(), "market": Market()}, []),
        (ALPACA, {"live_trading_confirmed": False}, ["E001"]),
        (ALPACA, {"live_broker": "paper"}, ["E002"]),
        (ALPACA, {"live_broker": ""}, ["E002"]),
        *((ALPACA, {"limits": without(limit)}, ["E003"]) for limit in LIMITS),
        (IBKR, {"limits": Limits()}, ["E003"] * len(LIMITS)),
        (ALPACA, {"limits": Limits(**LIMITS | {"max_position": None})}, ["E003"]),
        (ALPACA, {"limits": Limits(**LIMITS | {"max_daily_loss": Decimal(0)})}, []),
        (ALPACA, {"alpaca_api_key": ""}, ["E004"]),
        (ALPACA, {"alpaca_secret_key": SecretStr("")}, ["E004"]),
        (ALPACA, {"alpaca_base_url": "http://paper-api.alpaca.markets"}, ["E005"]),
        (ALPACA, {"alpaca_base_url": "https://api.alpaca.markets"}, []),
        (ALPACA, {"market": Market(source="simulated")}, ["E006"]),
        (IBKR, {"market": Market(source="simulated")}, ["E006"]),
        (IBKR, {"market": Market(source="replay")}, ["E006"]),
        (IBKR, {"market": Market(), "live_broker_is_simulator": True}, []),
        (ALPACA, {"live_broker_is_simulator": True}, ["E007"]),
        (ALPACA, {"live_broker_is_simulator": True, "alpaca_base_url": HERE}, []),
        (IBKR, {"ibkr_client_id": 0}, ["E012"]),
        (ALPACA, {"execution": leased(11.5)}, []),
        (ALPACA, {"execution": leased(11)}, ["E013"]),
        (ALPACA, {"alpaca_read_seconds": 40.0}, ["E013"]),
        (IBKR, {"execution": leased(8)}, ["E013"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict | list) and len(value) < 5 else "",
)
def test_what_live_trading_needs(
    base: dict[str, Any], change: dict[str, Any], found: list[str]
) -> None:
    config = Config(**base | change)
    assert ids(config) == found
    if found:
        with pytest.raises(ConfigError, match=rf"execution\.{found[0]}"):
            OrderManager(config=config)


def test_each_problem_says_what_to_do() -> None:
    problems = live_problems(Config(**ALPACA | {"limits": Limits()}))
    assert [problem.hint for problem in problems] == [
        f"Set LIMITS__{limit.upper()} or limits.{limit} in config/config.yaml."
        for limit in CHOSEN_LIMITS
    ]


@pytest.mark.parametrize(
    ("changes", "key", "allowed"),
    [
        ({"market": Market(source="bloomberg")}, "market.source = 'bloomberg'", "simulated"),
        ({"live_broker": "etrade"}, "live_broker = 'etrade'", "alpaca"),
    ],
)
def test_a_part_that_is_not_installed_is_named_at_the_start(
    changes: dict[str, Any], key: str, allowed: str
) -> None:
    [problem] = name_problems(Config(**changes))
    assert key in problem.msg
    assert allowed in problem.msg
    assert name_problems(Config()) == []
