"""The name under which the workers and their gateway find each other, and whether they trade."""

from deepstack.config import Config

ONLY_ONE = "default"  # an order's account that stands for the login's, where that has one alone


def endpoint_of(config: Config) -> str:
    """`host:port/client id`."""
    return f"{config.ibkr_host}:{config.ibkr_port}/{config.ibkr_client_id}"


def trades_by_tws(config: Config) -> bool:
    """Not where the gateway is only tried out: the orders of this installation are not there."""
    return config.trading_mode == "live" and config.live_broker == "ibkr"
