"""A health check for a container that serves no page."""

import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution.checks import CONFIGURATION
from execution.heartbeat import DEAD_AFTER, seen_lately
from execution.models import Heartbeat


class Command(BaseCommand):
    help = "Succeeds when a process of the kind on this host has shown life lately."
    requires_system_checks = (CONFIGURATION,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=Heartbeat.Kind.values)

    def handle(self, *args: Any, **options: Any) -> None:
        seen = seen_lately(options["kind"]).filter(process__startswith=f"{socket.gethostname()}:")
        if not seen.exists():
            raise CommandError(f"no {options['kind']} on this host seen for {DEAD_AFTER.seconds} s")
