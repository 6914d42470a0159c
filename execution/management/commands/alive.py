"""A health check for a container that serves no page."""

import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from execution.heartbeat import DEAD_AFTER
from execution.models import Heartbeat


class Command(BaseCommand):
    help = "Succeeds when a process of the kind on this host has shown life lately."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=Heartbeat.Kind.values)

    def handle(self, *args: Any, **options: Any) -> None:
        seen = Heartbeat.objects.filter(
            kind=options["kind"],
            process__startswith=f"{socket.gethostname()}:",
            seen_wall__gt=timezone.now() - DEAD_AFTER,
        )
        if not seen.exists():
            raise CommandError(f"no {options['kind']} on this host seen for {DEAD_AFTER.seconds} s")
