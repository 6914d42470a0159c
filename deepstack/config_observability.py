"""Where traces and error reports go; nowhere unless an address is set.

The names are those of the OpenTelemetry and Sentry documentation, so that what a platform sets for
all of its services holds for this one.
"""

import re
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from deepstack import config_urls
from deepstack.config_types import PRINTED, Checked, Probability

_PROJECT = re.compile(r"/(?:.+/)?\d+")
_HEADER = re.compile(rf"[A-Za-z0-9!#$%&'*+.^_`|~-]+=(?:{PRINTED}| )+")


def _dsn(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    try:
        parts = urlsplit(config_urls.optional(config_urls.private_http)(url))
    except ValueError:
        parts = urlsplit("")
    if url and not (parts.username and _PROJECT.fullmatch(parts.path)):
        raise ValueError("https://key@host.example/number is allowed; http:// only on this machine")
    return secret


def _headers(secret: SecretStr) -> SecretStr:
    read_headers(secret)
    return secret


def read_headers(secret: SecretStr) -> dict[str, str]:
    """Raises ValueError for what is not written as the W3C's baggage is."""
    found = {}
    for pair in filter(None, secret.get_secret_value().split(",")):
        if not _HEADER.fullmatch(unquote(pair.strip())):
            raise ValueError("name=value, several separated by commas, is allowed")
        name, _, value = pair.strip().partition("=")
        found[name.lower()] = unquote(value)
    return found


class Observability(Checked):
    """What an OTLP receiver and Sentry are sent."""

    # The receiver's base address, such as http://127.0.0.1:4318; empty: no traces.
    otel_exporter_otlp_endpoint: Annotated[
        str, AfterValidator(config_urls.optional(config_urls.http))
    ] = ""
    otel_exporter_otlp_headers: Annotated[SecretStr, AfterValidator(_headers)] = SecretStr("")
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = "http/protobuf"
    otel_service_name: Annotated[str, Field(min_length=1, max_length=255)] = "deepstack"
    # By the trace's id, so that every process keeps or drops the same orders.
    otel_traces_sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = "parentbased_always_on"
    otel_traces_sampler_arg: Probability = 1.0  # the share of orders that `traceidratio` keeps
    sentry_dsn: Annotated[SecretStr, AfterValidator(_dsn)] = SecretStr("")  # empty: no reports

    @model_validator(mode="after")
    def _keeps_its_key(self) -> Self:
        if self.otel_exporter_otlp_headers.get_secret_value():
            try:
                config_urls.optional(config_urls.private_http)(self.otel_exporter_otlp_endpoint)
            except ValueError:
                raise ValueError(
                    "otel_exporter_otlp_endpoint: with otel_exporter_otlp_headers, which hold a"
                    " key, https:// is allowed; http:// only on this machine"
                ) from None
        return self
