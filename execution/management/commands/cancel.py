from datetime import datetime

from typing_extensions import override

from execution.entry import order_controls
from execution.management.console import ControlCommand
from execution.models import Order


class Command(ControlCommand):
    help = "Cancel an order: no child leaves any more, and those at the broker are cancelled."
    stops = True

    @override
    def control(self, order_id: int, *, by: str, now: datetime, reason: str) -> Order:
        return order_controls.cancel(order_id, by=by, now=now, reason=reason)
