"""Where alerts go. To add a channel, write its file and add its line."""

from collections.abc import Mapping

from django.utils.module_loading import import_string

from deepstack.config import Config
from monitoring.channels.apprise_url import AppriseUrl
from monitoring.channels.base import Channel

# Each builds its channel from the configuration, or answers None where it is not set up.
CHANNELS = {
    "log": "monitoring.channels.log.from_config",
    "webhook": "monitoring.channels.webhook.from_config",
}


def configured(config: Config) -> Mapping[str, Channel]:
    """The channels that this installation uses, by name."""
    built: dict[str, Channel | None] = {
        name: import_string(build)(config) for name, build in CHANNELS.items()
    }
    own = {name: channel for name, channel in built.items() if channel is not None}
    return own | {name: AppriseUrl(rule.url) for name, rule in config.alerts.channels.items()}
