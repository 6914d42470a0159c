"""What is left of a configuration that is wrong: the addresses of the stores, for whoever stops
trading and cannot first mend a file."""

import sys
from contextlib import suppress
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from yaml import YAMLError

from deepstack import config, config_files, config_urls
from deepstack.config_types import DatabaseUrl


def _redis_or_none(url: str) -> str:
    """A halt is a row of PostgreSQL; without Redis its cancels leave from the dispatcher."""
    try:
        return config_urls.optional(config_urls.redis)(url)
    except ValueError:
        return ""


class _Stores(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=config.ROOT / ".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: DatabaseUrl = ""
    redis_url: Annotated[str, AfterValidator(_redis_or_none)] = ""


_ADDRESSES = frozenset(_Stores.model_fields)


def prepare() -> None:
    """Where the configuration of this process is wrong, say so and go on with the defaults on the
    stores that the environment or a file names. Raises ConfigError where PostgreSQL's is wrong."""
    try:
        config.current()
    except config.ConfigError as error:
        try:
            given = _Stores().model_dump(exclude_unset=True)
            stores = _Stores(**(_of_the_file() | given))
        except (ValidationError, UnicodeDecodeError, OSError):
            raise error from None
        sys.stderr.write(f"{error}\ntrading is stopped all the same, on the stores alone\n")
        config.stand_in(config.Config.model_construct(**stores.model_dump()))


def _of_the_file() -> dict[str, Any]:
    """What `config.yaml` says of the stores, if anything of it can be read."""
    with suppress(OSError, UnicodeDecodeError, YAMLError):
        found = config_files.yaml_of(config.ROOT / "config" / "config.yaml")
        return {key.lower(): value for key, value in found.items() if key.lower() in _ADDRESSES}
    return {}
