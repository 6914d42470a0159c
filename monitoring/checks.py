"""System checks: a channel that cannot work is told at the start, not by a lost alert."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from deepstack.config import Config, current
from monitoring.alerting.alert_kinds import AlertKind


@register
def alert_channels_can_work(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    return channel_problems(current())


def channel_problems(config: Config) -> list[CheckMessage]:
    if not config.alerts.channels:
        return []
    from apprise import Apprise  # takes a second; only who has channels pays for it

    found: list[CheckMessage] = []
    for name, rule in config.alerts.channels.items():
        where = f"alerts.channels.{name}"
        unknown = sorted(set(rule.kinds) - set(AlertKind))
        if unknown:
            text = f"{where}.kinds: there is no alert of kind {', '.join(unknown)}."
            hint = f"Known are {', '.join(sorted(AlertKind))}."
            found.append(Error(text, hint=hint, id="monitoring.E001"))
        if Apprise.instantiate(rule.url.get_secret_value(), suppress_exceptions=True) is None:
            text = f"{where}.url: Apprise does not know such an address."
            hint = "Its services and their addresses: https://appriseit.com/services/"
            found.append(Error(text, hint=hint, id="monitoring.E002"))
    return found
