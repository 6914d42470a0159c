"""A signed message without events, before a receiver needs to trust one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from typing_extensions import override

from deepstack.config import current
from execution.management.console import OperatorCommand
from monitoring.webhooks import sending


class Command(OperatorCommand):
    help = "Send a signed message without events to a receiver; exit 1 if it is not taken."
    speaks_json = False

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the receiver's name in webhooks.receivers")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        name, receivers = options["name"], current().webhooks.receivers
        if name not in receivers:
            known = ", ".join(receivers) or "none: see docs/webhooks.md"
            raise CommandError(f"{name!r}: set up are {known}", returncode=2)
        outcome = sending.send_test(name, receivers[name], real_now=timezone.now())
        if outcome.problem:
            raise CommandError(f"{name}: FAILED, {outcome.problem}")
        self.stdout.write(f"{name}: taken")
