"""What live trading needs before it may start: a broker, limits, prices, keys."""

from django.core.checks import CheckMessage, Error

from deepstack.config import Config, ConfigError
from execution.broker import BROKERS
from execution.broker.ibkr.system_checks import ibkr_problems

# The defaults are a trial's. An account's money is risked only within bounds that its owner chose.
CHOSEN_LIMITS = (
    "max_order_quantity",
    "max_order_notional",
    "max_position",
    "max_messages_per_minute",
    "max_daily_loss",
)


MADE_UP_PRICES = ("simulated", "replay")


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
    problems.extend(_limit_problems(config))
    problems.extend(_price_problems(config))
    if config.live_broker == "alpaca":
        problems.extend(_alpaca_problems(config))
    if config.live_broker == "ibkr":
        problems.extend(ibkr_problems(config))
    return problems


def _limit_problems(config: Config) -> list[CheckMessage]:
    chosen = config.limits.model_fields_set
    return [
        Error(
            f"limits.{limit} is not set, and live trading has no default for it.",
            hint=f"Set LIMITS__{limit.upper()} or limits.{limit} in config/config.yaml.",
            id="execution.E003",
        )
        for limit in CHOSEN_LIMITS
        if limit not in chosen or getattr(config.limits, limit) is None
    ]


def _price_problems(config: Config) -> list[CheckMessage]:
    """Every limit price and every check of a child comes from the market data."""
    if config.market.source not in MADE_UP_PRICES or config.live_broker_is_simulator:
        return []
    return [
        Error(
            f"market.source is {config.market.source!r}: live orders would be priced by a market"
            " that does not exist.",
            hint="Set MARKET__SOURCE=alpaca (quotes need Alpaca keys, whichever broker trades)."
            " LIVE_BROKER_IS_SIMULATOR=true is for a simulator of the broker, such as that of"
            " `make demo BROKER=...`.",
            id="execution.E006",
        )
    ]


def _simulator_problems(config: Config, address: str) -> list[CheckMessage]:
    from execution.broker.alpaca import endpoints

    if not config.live_broker_is_simulator or endpoints.is_here(address):
        return []
    return [
        Error(
            f"LIVE_BROKER_IS_SIMULATOR is set, but ALPACA_BASE_URL = {address!r} is not on this"
            " machine.",
            hint="Take the setting away: what is there is a broker.",
            id="execution.E007",
        )
    ]


def _alpaca_problems(config: Config) -> list[CheckMessage]:
    from execution.broker.alpaca import endpoints  # the library is slow to load

    problems: list[CheckMessage] = [
        Error(
            f"LIVE_BROKER is alpaca, but {name.upper()} is not set.",
            hint="Set both keys of the one Alpaca account that ALPACA_BASE_URL belongs to.",
            id="execution.E004",
        )
        for name in ("alpaca_api_key", "alpaca_secret_key")
        if not getattr(config, name)
    ]
    problems.extend(_lease_problems(config))
    try:
        problems.extend(_simulator_problems(config, endpoints.trading_url(config)))
    except ConfigError as error:
        problems.append(Error(str(error), id="execution.E005"))
    return problems


def _lease_problems(config: Config) -> list[CheckMessage]:
    """A claim that runs out while its order is on the way is taken for one that got lost."""
    longest = config.alpaca_connect_seconds + config.alpaca_read_seconds
    lease = config.execution.scheduling.lease_seconds
    if lease > longest:
        return []
    return [
        Error(
            f"execution.scheduling.lease_seconds = {lease:g}, but a placement may take"
            f" {longest:g} s (ALPACA_CONNECT_SECONDS + ALPACA_READ_SECONDS).",
            hint="Raise the lease or shorten the other two.",
            id="execution.E013",
        )
    ]
