from datetime import datetime

from typing_extensions import override

from execution.entry import order_controls
from execution.management.console import ControlCommand
from execution.models import Order


class Command(ControlCommand):
    help = "Let a paused order go on; what it missed is caught up smoothly."
    permission = "execution.cancel_order"

    @override
    def control(self, order_id: int, *, by: str, now: datetime, reason: str) -> Order:
        return order_controls.resume(order_id, by=by, now=now, reason=reason)
