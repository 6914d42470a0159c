"""Settings of the channels by which alerts reach people."""

import re
from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from deepstack.config_types import Section

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
OWN = ("log", "webhook")


def _hours(text: str) -> str:
    if text and (not _HOURS.fullmatch(text) or len(set(text.split("-"))) == 1):
        raise ValueError("hours in exchange time such as 20:00-07:00 are allowed, or nothing")
    return text


def _address(url: SecretStr) -> SecretStr:
    if not re.match(r"[a-z0-9]+://\S+$", url.get_secret_value()):
        raise ValueError("an Apprise address such as slack://... or mailto://... is allowed")
    return url


def _own_names(channels: dict[str, "AlertChannel"]) -> dict[str, "AlertChannel"]:
    for name in channels:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name) or name in OWN:
            raise ValueError(
                f"{name!r}: a channel's name has small letters, digits and _, and is none of"
                f" {', '.join(OWN)}"
            )
    return channels


class AlertChannel(Section):
    """One way to reach people. An alert takes it when all of what is given here fits."""

    # https://appriseit.com/services/; its path holds keys, so it belongs into the environment.
    url: Annotated[SecretStr, AfterValidator(_address)]
    min_severity: Literal["INFO", "WARNING", "CRITICAL"] = "INFO"
    accounts: tuple[str, ...] = ()  # none: all; an alert of no account fits everywhere
    kinds: tuple[str, ...] = ()  # none: all
    # In exchange time. What is below CRITICAL waits for their end; many of a kind are one message.
    quiet_hours: Annotated[str, AfterValidator(_hours)] = ""
    # Each morning the costs of the last day, with the report as a file where the service takes one.
    daily_report: bool = False

    @property
    def quiet(self) -> tuple[time, time] | None:
        """When the quiet hours begin and end."""
        if not self.quiet_hours:
            return None
        begin, end = self.quiet_hours.split("-")
        return time.fromisoformat(begin), time.fromisoformat(end)


class Alerts(Section):
    channels: Annotated[dict[str, AlertChannel], AfterValidator(_own_names)] = Field(
        default_factory=dict
    )
