import signal
from typing import Any

from django.core.management.base import BaseCommand

from deepstack import observability
from deepstack.config import current
from execution import context
from execution.checks import CONFIGURATION
from execution.orders import caller
from execution.risk import recovery_mode
from execution.sending import dispatch_hooks
from execution.sending.cancel_lane import CancelLane
from execution.sending.dispatcher import Dispatcher


class Command(BaseCommand):
    help = "Feed Redis with the slices that come due, and repair what got lost. Two may run."
    requires_system_checks = (CONFIGURATION,)

    def handle(self, *args: Any, **options: Any) -> None:
        caller.be_service()
        observability.take_part("dispatch")
        recovery_mode.check_quietly()
        lane = CancelLane(context.default)
        loop = Dispatcher(current().execution.scheduling, lane=lane)

        def stop(*_: object) -> None:
            loop.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        with dispatch_hooks.running():
            loop.run()
        lane.end()
