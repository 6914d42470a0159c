import signal
import threading
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from deepstack.config import current
from execution.checks import CONFIGURATION

# The process that a live broker needs beside the workers.
PROCESSES = {"alpaca": "listen_alpaca", "ibkr": "ibkr_gateway"}


class Command(BaseCommand):
    help = (
        "Run what the live broker needs beside the workers: listen_alpaca or ibkr_gateway. "
        "Under paper trading there is nothing to do, and it only waits."
    )
    requires_system_checks = (CONFIGURATION,)

    def handle(self, *args: Any, **options: Any) -> None:
        config = current()
        needed = PROCESSES.get(config.live_broker) if config.trading_mode == "live" else None
        if needed is None:
            self.stdout.write("paper trading needs no such process: waiting")
            self.stdout.flush()
            _wait_for_the_end()
        else:
            call_command(needed)


def _wait_for_the_end() -> None:
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    asked.wait()
