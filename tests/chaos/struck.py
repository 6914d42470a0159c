"""The real adapters, with the points at which a worker may be made to die or to freeze."""

import signal
from datetime import datetime

from execution.broker.alpaca import AlpacaBroker
from execution.broker.base import BrokerOrder, Ticket
from execution.broker.ibkr.adapter import InteractiveBrokers
from tests.chaos.client import struck


class Struck:
    """Before the adapter in the order of methods."""

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        struck("kill-before", signal.SIGKILL)
        struck("freeze-before", signal.SIGSTOP)
        seen: BrokerOrder = super().place(ticket, now=now)
        struck("kill-after", signal.SIGKILL)
        return seen


class Alpaca(Struck, AlpacaBroker):
    pass


class Ibkr(Struck, InteractiveBrokers):
    pass
