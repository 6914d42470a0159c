import signal
from collections.abc import Collection
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deepstack import latency_tuning, observability
from deepstack.config import Config, current
from execution import context
from execution.broker.ibkr.gateway import Gateway, GatewayTaken
from execution.checks import CONFIGURATION
from execution.listeners.ibkr_fills import FillListener


class Command(BaseCommand):
    help = "Own the connection to TWS or IB Gateway. One runs for each host, port and client id."
    requires_system_checks = (CONFIGURATION,)

    def handle(self, *args: Any, **options: Any) -> None:
        config = current()
        listener = FillListener(context.default()) if _books_fills(config) else None
        gateway = Gateway(config, listener.notify if listener else _nobody)

        def stop(*_: object) -> None:
            gateway.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        latency_tuning.be_quick()
        observability.take_part("broker")
        if listener:
            listener.start()
        try:
            gateway.run()
        except GatewayTaken as error:
            raise CommandError(str(error)) from None
        finally:
            if listener:
                listener.stop()


def _books_fills(config: Config) -> bool:
    """Not where the gateway is only tried out: the orders of this installation are not there."""
    return config.trading_mode == "live" and config.live_broker == "ibkr"


def _nobody(changed: Collection[str]) -> None:
    pass
