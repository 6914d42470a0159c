"""Secrets taken out of what leaves this installation for people to read."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from deepstack import config_rules
from deepstack.config import Config

HIDDEN = "***"
SHORTEST = 6  # characters of a secret that is looked for: a shorter one stands in many words
_LOGIN = re.compile(r"(?<=://)[^\s/'\"]*@")
_PARTS = re.compile(r"[/?#&=@:]+")
# `Bearer ...`, `token=...`, `"password": "..."`.
_NAMED = re.compile(
    r"(\b(?i:bearer|basic|token)\s+)[\w.~+/=-]{16,}"
    r"|(\b[\w-]*(?i:passw(?:or)?d|secret|token|api[_-]?key|authorization)[\w-]*[\"']?\s*[=:]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|(?:(?i:bearer|basic|token)\s+)?[^\s\"',;&]+)"
)
# Code of a frame, which holds no secret.
_SOURCE = ("pre_context", "context_line", "post_context")


class Mask:
    """Hides the configuration's own secrets wherever they stand, and what looks like others."""

    def __init__(self, config: Config) -> None:
        found = {each for secret in _secrets(config) for each in _spellings(secret)}
        longest_first = sorted((each for each in found if len(each) >= SHORTEST), key=len)[::-1]
        self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def text(self, text: str) -> str:
        known = self._known.sub(HIDDEN, text)
        return _NAMED.sub(_hide, _LOGIN.sub(f"{HIDDEN}@", known))

    def all_in(self, value: Any, name: str = "") -> Any:
        """The same structure of mappings and lists. What the name of a secret stands before is
        hidden whole."""
        if name in _SOURCE:
            return value
        if value and config_rules.is_secret(name):
            return HIDDEN
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.all_in(each, str(key)) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.all_in(each, name) for each in value]
        if isinstance(value, str):
            return self.text(value)
        return value


def _hide(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]}{HIDDEN}"


def _secrets(config: Config) -> Iterator[str]:
    yield from _hidden(config)
    yield config.alert_webhook_url
    for url in (config.database_url, config.redis_url):
        yield _password(url)


def _hidden(section: BaseModel) -> Iterator[str]:
    """Of a section and of those in it: whatever shows in no dump."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        values: Iterable[object] = value.values() if isinstance(value, dict) else [value]
        for each in values:
            if isinstance(each, SecretStr):
                yield each.get_secret_value()
            elif isinstance(each, BaseModel):
                yield from _hidden(each)


def _spellings(secret: str) -> Iterator[str]:
    """As it is, as an address holds it, and the parts of it that may stand by themselves."""
    yield from (secret, quote(secret, safe=""), unquote(secret))
    scheme, start, rest = secret.partition("://")
    if start and scheme not in ("http", "https"):  # of Apprise: a token may be anywhere
        yield from _PARTS.split(rest)
    elif start:
        host, _, path = rest.rpartition("@")[2].partition("/")
        yield from (path, *_PARTS.split(rest.removesuffix(f"{host}/{path}")))
    else:
        yield secret.partition(":")[2]  # the password of user:password


def _password(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:  # several hosts, as libpq takes them
        return ""
