"""A caller's own configuration beside the service's, whose workers send the orders.

What concerns one order goes with it, and the workers keep to it. A limit may be tighter than the
service's, never looser. What concerns the service as a whole cannot differ.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, SecretStr

from deepstack import config_copies
from deepstack.config import Config, ConfigError

Settings = Mapping[str, Any]  # values for JSON, by keys such as limits.max_order_notional

# Of a limit the smaller value is the tighter, and none is the loosest; of these the larger is.
_LARGER_IS_TIGHTER = {
    "limits.duplicate_seconds",
    "limits.within_buying_power",
    "execution.scheduling.min_gap_seconds",
    "execution.scheduling.quiet_open_minutes",
    "execution.scheduling.quiet_close_minutes",
}
_LIMITS = ("limits.", "execution.max_participation", *_LARGER_IS_TIGHTER)
_OF_ONE_ORDER = (
    "execution.twap.",
    "execution.vwap.",
    "execution.pov.",
    "execution.implementation_shortfall.",
    "execution.residual.",
    "execution.slippage.",
    "execution.routing.",
)
# Nothing that happens to an order goes by them: the monitor is given its own thresholds.
_OF_NO_ORDER = (
    "account",  # of orders that name none; it is stored with each
    "execution.monitoring.",
    "execution.vwap.deviation_threshold",
    "debug",
    "secret_key",
    "flower_basic_auth",
    "allowed_hosts",
    "https",
    "log_level",
    "log_file",
    "alert_webhook_url",
)


def of(config: Config, service: Config) -> Settings:
    """What goes with each order of a caller whose configuration this is.

    Raises ConfigError that names each key whose value cannot hold, or is no value for it.
    """
    if config is service:
        return {}
    config_copies.checked(config)
    theirs, ours = dict(_leaves(config)), dict(_leaves(service))
    differing = {key: value for key, value in theirs.items() if value != ours[key]}
    own = {key: value for key, value in differing.items() if not key.startswith(_OF_NO_ORDER)}
    wrong = {key: why for key, value in own.items() if (why := _why_not(key, value, ours[key]))}
    if wrong:
        raise ConfigError("\n".join([_TITLE, *(_line(key, theirs, ours, wrong) for key in wrong)]))
    return {key: str(value) if isinstance(value, Decimal) else value for key, value in own.items()}


def applied(config: Config, own: Settings) -> Config:
    """The configuration with an order's own settings, except where it is the tighter by now."""
    ours = dict(_leaves(config))
    sections: dict[str, dict[str, Any]] = {}
    for key, value in own.items():
        section, _, name = key.rpartition(".")
        sections.setdefault(section, {})[name] = value
    for section, values in sorted(sections.items(), reverse=True):  # the inner ones first
        config = _with(config, section.split("."), values)
    looser = {k: v for k, v in _leaves(config) if k in own and _looser(k, v, ours[k])}
    return applied(config, {key: ours[key] for key in looser}) if looser else config


def check_same(one: Config, name: str, other: Config, *, service: Config) -> None:
    """Raises ConfigError unless a part that has the configuration `one` goes by `other`, which its
    user has, or by the service's."""
    ours = dict(_leaves(other))
    keys = [key for key, value in _leaves(one) if value != ours[key]]
    if keys and one != service:
        raise ConfigError(f"{name} and OrderManager have Configs that differ: {', '.join(keys)}")


_TITLE = "this Config cannot hold beside the service's, whose workers send the orders:"


def _line(key: str, theirs: Settings, ours: Settings, wrong: Mapping[str, str]) -> str:
    return f"  {key} = {_shown(theirs[key])}, the service's is {_shown(ours[key])}: {wrong[key]}"


def _why_not(key: str, value: Any, service: Any) -> str:
    if _looser(key, value, service):
        return "a limit may only be tighter than the service's"
    if key.startswith((*_LIMITS, *_OF_ONE_ORDER)):
        return ""
    return "it concerns the whole service; set it in .env or config/config.yaml and restart"


def _looser(key: str, value: Any, service: Any) -> bool:
    if not key.startswith(_LIMITS) or value == service:
        return False
    if value is None or service is None:
        return value is None
    return bool(value < service) if key in _LARGER_IS_TIGHTER else bool(value > service)


def _leaves(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _with(section: Any, path: list[str], values: Settings) -> Any:
    if not path:
        return type(section).model_validate(section.model_dump() | dict(values))
    inner = _with(getattr(section, path[0]), path[1:], values)
    return section.model_copy(update={path[0]: inner})


def _shown(value: Any) -> str:
    return "***" if isinstance(value, SecretStr) else str(value)
