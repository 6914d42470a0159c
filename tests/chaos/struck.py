"""The real adapters, with the points at which a worker may be made to die or to freeze."""

import signal
from datetime import datetime

from typing_extensions import override

from execution.broker.alpaca import AlpacaBroker
from execution.broker.base import BrokerOrder, Ticket
from execution.broker.ibkr.adapter import InteractiveBrokers
from tests.chaos.client import struck


class Alpaca(AlpacaBroker):
    @override
    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        _before()
        seen = super().place(ticket, now=now)
        struck("kill-after", signal.SIGKILL)
        return seen


class Ibkr(InteractiveBrokers):
    @override
    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        _before()
        seen = super().place(ticket, now=now)
        struck("kill-after", signal.SIGKILL)
        return seen


def _before() -> None:
    struck("kill-before", signal.SIGKILL)
    struck("freeze-before", signal.SIGSTOP)
