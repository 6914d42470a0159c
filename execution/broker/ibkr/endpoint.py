"""The name under which the workers and their gateway find each other."""

from deepstack.config import Config

ONLY_ONE = "default"  # an order's account that stands for the login's, where that has one alone


def endpoint_of(config: Config) -> str:
    """`host:port/client id`."""
    return f"{config.ibkr_host}:{config.ibkr_port}/{config.ibkr_client_id}"
