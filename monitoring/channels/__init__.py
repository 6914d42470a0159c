"""Where alerts go. To add a channel, write its file and add its line."""

from collections.abc import Callable, Mapping

from deepstack.config import Config
from monitoring.channels import log, webhook
from monitoring.channels.apprise_url import AppriseUrl
from monitoring.channels.base import Channel

# Each builds its channel from the configuration, or answers None where it is not set up.
CHANNELS: dict[str, Callable[[Config], Channel | None]] = {
    "log": log.from_config,
    "webhook": webhook.from_config,
}


def configured(config: Config) -> Mapping[str, Channel]:
    """The channels that this installation uses, by name."""
    built = {name: build(config) for name, build in CHANNELS.items()}
    own = {name: channel for name, channel in built.items() if channel is not None}
    return own | {name: AppriseUrl(rule.url) for name, rule in config.alerts.channels.items()}
