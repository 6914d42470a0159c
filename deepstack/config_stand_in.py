"""What is left of a configuration that is wrong: the addresses of the stores, for whoever stops
trading and cannot first mend a file."""

import sys

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deepstack import config
from deepstack.config_types import DatabaseUrl, RedisUrl


class _Stores(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=config.ROOT / ".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: DatabaseUrl = ""
    redis_url: RedisUrl = ""


def prepare() -> None:
    """Where the configuration of this process is wrong, say so and go on with the defaults on the
    stores that the environment or `.env` name. Raises ConfigError where these are wrong, too."""
    try:
        config.current()
    except config.ConfigError as error:
        try:
            stores = _Stores()
        except (ValidationError, UnicodeDecodeError):
            raise error from None
        sys.stderr.write(f"{error}\ntrading is stopped all the same, on the stores alone\n")
        config.stand_in(config.Config.model_construct(**stores.model_dump()))
