import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deepstack.config import current
from execution.broker.ibkr.gateway import Gateway, GatewayTaken


class Command(BaseCommand):
    help = "Own the connection to TWS or IB Gateway. One runs for each host, port and client id."

    def handle(self, *args: Any, **options: Any) -> None:
        gateway = Gateway(current())

        def stop(*_: object) -> None:
            gateway.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        try:
            gateway.run()
        except GatewayTaken as error:
            raise CommandError(str(error)) from None
