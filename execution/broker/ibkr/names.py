"""The name under which the workers and their gateway find each other."""

from deepstack.config import Config


def endpoint_of(config: Config) -> str:
    """`host:port/client id`."""
    return f"{config.ibkr_host}:{config.ibkr_port}/{config.ibkr_client_id}"
