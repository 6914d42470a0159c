"""A test through each channel, before a real alert needs it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from typing_extensions import override

from deepstack.config import current
from execution.management.console import OperatorCommand
from monitoring.alerting import deliveries
from monitoring.alerting.rules import AlertSeverity
from monitoring.channels import configured
from monitoring.clocks import Moment
from monitoring.models import Alert

MESSAGE = "A test of the alert channels: nothing has happened, and nothing is to be done."


class Command(OperatorCommand):
    help = "Send a test through each alert channel and say what came of it; exit 1 if one failed."
    speaks_json = False

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--channel", help="only this one, by its name")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        channels = configured(current())
        name: str | None = options["channel"]
        if name is not None and name not in channels:
            raise CommandError(
                f"--channel {name!r}: set up are {', '.join(channels)}", returncode=2
            )
        failed = 0
        for each, channel in channels.items():
            if name is None or name == each:
                outcome = deliveries.attempt(each, channel, _test(), real_now=timezone.now)
                words = f"FAILED, {outcome.problem}" if outcome.problem else "sent"
                self.stdout.write(f"{each}: {words}")
                failed += bool(outcome.problem)
        if set(channels) == {"log"}:
            self.stdout.write(
                "only the log got it: set ALERT_WEBHOOK_URL or a channel of alerts.channels to"
                " reach a person"
            )
        if failed:
            raise CommandError(f"{failed} of the channels did not take the test")


def _test() -> Alert:
    """It is not stored: it is no alert."""
    moment = Moment.read()
    return Alert(
        kind="TEST",
        severity=AlertSeverity.INFO,
        message=MESSAGE,
        raised_at=moment.now,
        raised_at_real=moment.real_now,
    )
