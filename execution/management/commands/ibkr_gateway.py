import signal
from collections.abc import Collection
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deepstack import latency_tuning, observability
from deepstack.config import current
from execution import context
from execution.broker.ibkr.endpoint import trades_by_tws
from execution.broker.ibkr.gateway import Gateway, GatewayTaken
from execution.checks import CONFIGURATION
from execution.listeners import ibkr_halts
from execution.listeners.ibkr_fills import FillListener


class Command(BaseCommand):
    help = "Own the connection to TWS or IB Gateway. One runs for each host, port and client id."
    requires_system_checks = (CONFIGURATION,)

    def handle(self, *args: Any, **options: Any) -> None:
        config = current()
        listener = FillListener(context.default()) if trades_by_tws(config) else None
        notify = listener.notify if listener else _nobody
        gateway = Gateway(config, notify, ibkr_halts.listener_of(config))

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


def _nobody(changed: Collection[str]) -> None:
    pass
