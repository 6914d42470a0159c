import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deepstack import latency_tuning, observability
from deepstack.config import ConfigError
from execution import context
from execution.checks import CONFIGURATION
from execution.listeners.alpaca import Listener


class Command(BaseCommand):
    help = (
        "Book Alpaca's executions as its stream reports them. Trading goes on without it, "
        "some seconds later. Two may run; one listens."
    )
    requires_system_checks = (CONFIGURATION,)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            listener = Listener(context.default())
        except (ConfigError, TypeError) as error:
            raise CommandError(
                f"{error}\nIt needs TRADING_MODE=live and LIVE_BROKER=alpaca."
            ) from None

        def stop(*_: object) -> None:
            listener.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        latency_tuning.be_quick()
        observability.take_part("broker")
        listener.run()
        if not listener.stopping:
            raise CommandError("PostgreSQL or the stream was lost for good; start it again")
