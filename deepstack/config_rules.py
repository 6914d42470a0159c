"""Settings that are right one by one and wrong together, and what is said about wrong ones."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from operator import attrgetter

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from deepstack import config_urls
from deepstack.config_alerts import AlertChannel

# The first of each pair must not exceed the second.
_NOT_ABOVE = (
    ("execution.routing.small_order_threshold", "execution.routing.large_order_threshold"),
    ("execution.twap.default_num_slices", "limits.max_slices"),
    ("execution.vwap.min_slices", "limits.max_slices"),
    ("execution.vwap.shortest_slice_minutes", "execution.vwap.slice_minutes"),
    ("execution.scheduling.tick_seconds", "execution.scheduling.horizon_seconds"),
    ("execution.scheduling.overdue_grace_seconds", "execution.scheduling.missed_grace_seconds"),
    ("disk.least_free", "disk.low"),
    ("ibkr.heartbeat_seconds", "ibkr.fresh_seconds"),
)

# Sections that no other program's variables begin with.
_OURS_ALONE = ("EXECUTION", "LIMITS")
# Of what decides about real money, a variable that is nearly one of ours is meant for it.
_GRAVE = ("TRADING_", "LIVE_", "ALPACA_", "IBKR_")
_NEAR = 0.85

HEAD = "the configuration is wrong:"
_MOST_SHOWN = 80  # characters of a wrong value
# What is meant, in the words of whoever writes the file, by the kind of the mistake.
_SECTION = "keys with their values are allowed; a section with none is left out"
_ALLOWED = {
    "model_type": _SECTION,
    "dict_type": _SECTION,
    "tuple_type": "a list is allowed, such as [first, second]",
    "string_type": "a text is allowed; in config.yaml a number that is a name stands in quotes",
}
# Of a channel, what may be shown.
_OPEN = AlertChannel.model_fields.keys() - {"url"}

# In a key's name; the path of a webhook is a password.
_SECRET = ("secret", "auth", "webhook", "token", "backup_key", "api_key", "dsn", "headers")


def out_of_order(config: object) -> list[str]:
    """A line for each pair; empty where all agree."""
    return [
        f"{low} = {_at(config, low)} must not exceed {high} = {_at(config, high)}"
        f" (environment: {_variable(low)}, {_variable(high)})"
        for low, high in _NOT_ABOVE
        if _at(config, low) > _at(config, high)
    ]


def misspelt(
    environment: Iterable[str], file: Iterable[str], fields: Mapping[str, FieldInfo]
) -> list[str]:
    """A line for each variable that was surely meant for one of the settings and is none. A file of
    variables is this service's own, the environment everybody's."""
    kinds = {name: field.annotation for name, field in fields.items()}
    sections = {
        name.upper(): {key.upper() for key in kind.model_fields}
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    }
    settings = {name.upper() for name in fields}
    own = {name.upper() for name in file} - settings
    others = {name.upper() for name in environment} - settings
    return [
        f"  {name}: no setting has this name; {meant}"
        for name in sorted(own | others)
        if (meant := _meant(name, sections) or _near(name, settings, own=name in own))
    ]


def _meant(name: str, sections: Mapping[str, Collection[str]]) -> str:
    """Of a section; empty for a name that may well be somebody else's."""
    first, nested, _ = name.partition("__")
    if first in sections:
        return ""
    for section, keys in sections.items():
        key = re.sub(rf"^{section}[_.-]", "", first)
        if key != first and (section in _OURS_ALONE or key in keys):
            return f"one of a section is written {section}__KEY"
    near = get_close_matches(first, sections, 1, cutoff=0.8) if nested else []
    return f"the section is called {near[0]}" if near else ""


def _near(name: str, settings: Collection[str], *, own: bool) -> str:
    """Of no section: a letter too many or too few."""
    if not own and not name.startswith(_GRAVE):
        return ""
    near = get_close_matches(name, settings, 1, cutoff=_NEAR)
    return f"one that has is {near[0]}" if near else ""


def _at(config: object, key: str) -> float:
    read: Callable[[object], float] = attrgetter(key)
    return read(config)


def _variable(key: str) -> str:
    return key.replace(".", "__").upper()


def is_secret(name: str) -> bool:
    """Whether what stands under the name is shown to nobody."""
    return any(word in name.lower() for word in _SECRET)


def wrong_values(error: ValidationError, section: str = "") -> list[str]:
    """A line for each wrong key, its value unless that is secret, and what is allowed."""
    lines: list[str] = []
    for problem in error.errors():
        path = [part for part in (section, *map(str, problem["loc"])) if part]
        said = _ALLOWED.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        if not path:
            lines.extend(f"  {line}" for line in said.splitlines())
            continue
        variable = "__".join(path).upper()
        value = "***" if _is_hidden(path) else repr(problem["input"])[:_MOST_SHOWN]
        shown = config_urls.without_password(value)
        lines.append(f"  {'.'.join(path)} = {shown}: {said} (environment: {variable})")
    return lines


def readable(error: ValidationError, section: str = "") -> str:
    return "\n".join([HEAD, *wrong_values(error, section)])


def _is_hidden(path: Sequence[str]) -> bool:
    """An address of a channel holds keys, wherever among the channels it was written."""
    if path[0] != "alerts":
        return is_secret(path[0])
    return len(path) < 4 or path[3] not in _OPEN
