"""System checks: a service that is set up dangerously refuses to start."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from deepstack.config import Config, ConfigError, current
from execution.broker import BROKERS
from execution.broker.ibkr.checks import ibkr_problems


@register
def live_trading_is_deliberate(
    app_configs: Sequence[Any] | None, **kwargs: Any
) -> list[CheckMessage]:
    return live_problems(current())


def live_problems(config: Config) -> list[CheckMessage]:
    """`TRADING_MODE=live` needs a broker, its keys, limits and an explicit switch."""
    if config.trading_mode == "paper":
        return []
    problems: list[CheckMessage] = []
    if not config.live_trading_confirmed:
        problems.append(
            Error(
                "TRADING_MODE is live, but LIVE_TRADING_CONFIRMED is not set.",
                hint="Set LIVE_TRADING_CONFIRMED=true once the limits are what you want.",
                id="execution.E001",
            )
        )
    allowed = sorted(set(BROKERS) - {"paper"})
    if config.live_broker not in allowed:
        problems.append(
            Error(
                f"LIVE_BROKER is {config.live_broker!r}; this installation has {allowed}.",
                hint="Name the broker that live orders go to, or set TRADING_MODE=paper.",
                id="execution.E002",
            )
        )
    chosen = config.limits.model_fields_set
    problems.extend(
        Error(
            f"limits.{limit} is not set, and live trading does not use its default.",
            hint=f"Set LIMITS__{limit.upper()} or limits.{limit} in config/config.yaml.",
            id="execution.E003",
        )
        for limit in ("max_order_quantity", "max_order_notional")
        if limit not in chosen
    )
    if config.live_broker == "alpaca":
        problems.extend(_alpaca_problems(config))
    if config.live_broker == "ibkr":
        problems.extend(ibkr_problems(config))
    return problems


def _alpaca_problems(config: Config) -> list[CheckMessage]:
    from execution.broker.alpaca import addresses  # the library is slow to load

    problems: list[CheckMessage] = [
        Error(
            f"LIVE_BROKER is alpaca, but {name.upper()} is not set.",
            hint="Set both keys of the one Alpaca account that ALPACA_BASE_URL belongs to.",
            id="execution.E004",
        )
        for name in ("alpaca_api_key", "alpaca_secret_key")
        if not getattr(config, name)
    ]
    try:
        addresses.trading_url(config)
    except ConfigError as error:
        problems.append(Error(str(error), id="execution.E005"))
    return problems
