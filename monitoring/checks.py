"""System checks: a channel or webhook that cannot work is named at the start, not by what it
loses."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution

from deepstack.config import Config, current
from execution.checks import CONFIGURATION
from execution.domain.event_kinds import EventKind
from monitoring.alerting.alert_kinds import AlertKind


@register(CONFIGURATION)
def alert_channels_can_work(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    return channel_problems(current())


@register(CONFIGURATION)
def webhooks_can_work(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    return webhook_problems(current())


def webhook_problems(config: Config) -> list[CheckMessage]:
    hint = f"Known are {', '.join(sorted(EventKind))}."
    found: list[CheckMessage] = []
    for name, receiver in config.webhooks.receivers.items():
        if unknown := sorted(set(receiver.kinds) - set(EventKind)):
            text = f"webhooks.receivers.{name}.kinds: there is no event of kind "
            found.append(Error(f"{text}{', '.join(unknown)}.", hint=hint, id="monitoring.E003"))
    return found


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


@register(deploy=True)
def live_trading_has_breakers(
    app_configs: Sequence[Any] | None, **kwargs: Any
) -> list[CheckMessage]:
    config = current()
    unset = [name for name, each in config.breakers.by_name().items() if each.threshold is None]
    if config.trading_mode != "live" or not unset:
        return []
    return [
        Caution(
            f"Live trading without these circuit breakers: {', '.join(unset)}.",
            hint="Set breakers.NAME.threshold in config/config.yaml: docs/production.md.",
            id="monitoring.W001",
        )
    ]
