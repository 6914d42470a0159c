import signal
from typing import Any

from django.core.management.base import BaseCommand

from deepstack.config import current
from execution import beside, caller, desk
from execution.cancel_lane import CancelLane
from execution.dispatch import Dispatcher


class Command(BaseCommand):
    help = "Feed Redis with the slices that come due, and repair what got lost. Two may run."

    def handle(self, *args: Any, **options: Any) -> None:
        caller.be_service()
        lane = CancelLane(desk.default)
        loop = Dispatcher(current().execution.scheduling, lane=lane)

        def stop(*_: object) -> None:
            loop.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        with beside.running():
            loop.run()
        lane.end()
