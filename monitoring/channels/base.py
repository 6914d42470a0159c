"""What a channel does, and what each of its failures means."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from monitoring.models import Alert

# What a person does about an address that is not the right one any more.
REDIRECTED = "a redirect is not followed, give the address it leads to"


class ChannelUnavailable(Exception):
    """The alert was not taken now; try again, not before `retry_after` seconds if given."""

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class ChannelRefused(Exception):
    """The channel will never take this alert as it is; a person must look at its set-up."""


class Channel(Protocol):
    """One way to reach a person."""

    def send(self, alert: Alert) -> None:
        """Hand over one alert within a bounded time. Returning means it was taken.

        Raises ChannelUnavailable or ChannelRefused. An alert may be handed over twice, when a
        process dies between the sending and its record: its id lets the receiver notice.
        """
        ...


@runtime_checkable
class DigestChannel(Channel, Protocol):
    """A channel that people read: fifty alerts alike are one message there."""

    def send_digest(self, alerts: Sequence[Alert]) -> None:
        """Hand over several alerts of one kind as one message; otherwise as `send`."""
        ...


@runtime_checkable
class ReportChannel(Channel, Protocol):
    """A channel that people read, which may take a file as well."""

    def send_report(self, title: str, text: str, file: Path) -> None:
        """Hand over a text, and the file where the service takes one; otherwise as `send`."""
        ...
