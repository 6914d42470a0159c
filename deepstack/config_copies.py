"""Configurations that a caller passes: pydantic checks nothing of a copy made with other values."""

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from deepstack import config_rules
from deepstack.config import Config, ConfigError


def checked(config: object) -> Config:
    """The same configuration. Raises ConfigError that names each value which is none for its key,
    or says that this is no Config at all."""
    if not isinstance(config, Config):
        raise ConfigError(f"a Config is needed, such as Config.from_env(), got {config!r:.80}")
    for name in type(config).model_fields:
        _check(name, getattr(config, name))
    if wrong := config_rules.out_of_order(config):
        raise ConfigError("\n".join(["the configuration is wrong:", *wrong]))
    return config


def _check(name: str, value: object) -> None:
    section = Config.model_fields[name].annotation
    try:
        if isinstance(section, type) and issubclass(section, BaseModel):
            if not isinstance(value, section):
                made = f"config.{name}.model_copy(update={{...}}) makes one"
                raise ConfigError(f"{name} = {value!r:.80}: must be a {section.__name__}; {made}")
            section.model_validate(value.model_dump(warnings=False))
        else:
            _adapter(name).validate_python(value)
    except ValidationError as error:
        raise ConfigError(config_rules.readable(error, name)) from None


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    field = Config.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)
