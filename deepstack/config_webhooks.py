"""Settings of the programs of others that are sent what happens to orders."""

import base64
import binascii
import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from deepstack import config_urls
from deepstack.config_types import Section

_PREFIX = "whsec_"
_LENGTHS = range(24, 65)  # bytes of a key


def key_of(secret: SecretStr) -> bytes:
    """The bytes that sign; raises ValueError for a secret of another form."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_PREFIX) or len(key) not in _LENGTHS:
        raise ValueError(
            "whsec_ and 24 to 64 random bytes in base64 are allowed: make one with"
            " `echo whsec_$(openssl rand -base64 32)`"
        )
    return key


def _secret(secret: SecretStr) -> SecretStr:
    key_of(secret)
    return secret


def _url(url: SecretStr) -> SecretStr:
    config_urls.private_http(url.get_secret_value())
    return url


def _names(receivers: dict[str, "WebhookReceiver"]) -> dict[str, "WebhookReceiver"]:
    for name in receivers:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,23}", name):
            raise ValueError(
                f"{name!r}: a receiver's name has at most 24 small letters, digits and _"
            )
    return receivers


class WebhookReceiver(Section):
    """One address. An event is sent to it when all of what is given here fits."""

    # Address and secret belong into the environment.
    url: Annotated[SecretStr, AfterValidator(_url)]
    secret: Annotated[SecretStr, AfterValidator(_secret)]
    # While a receiver changes its secret, both sign.
    previous_secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    accounts: tuple[str, ...] = ()  # none: all
    strategies: tuple[str, ...] = ()  # none: all
    kinds: tuple[str, ...] = ()  # of events; none: all

    @property
    def keys(self) -> tuple[bytes, ...]:
        secrets = (self.secret, self.previous_secret)
        return tuple(key_of(secret) for secret in secrets if secret is not None)


class Webhooks(Section):
    receivers: Annotated[dict[str, WebhookReceiver], AfterValidator(_names)] = Field(
        default_factory=dict
    )
