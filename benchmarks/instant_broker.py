"""A broker that fills at once, and workers that send to it: what the service itself needs.

`celery -A benchmarks.instant_broker worker` is a worker whose paper broker is this one.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import count

from deepstack.celery import app
from deepstack.config import Config
from execution.broker import BROKERS
from execution.broker.base import BrokerOrder, Execution, Ticket
from execution.domain.lifecycle import SliceStatus

__all__ = ["InstantBroker", "app"]

COMMISSION = Decimal("0.35")


class InstantBroker:
    """Remembers nothing: every child is filled by the answer to its request."""

    name = "paper"

    def __init__(self, config: Config) -> None:
        self._numbers = count(1)

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        number = f"{os.getpid()}-{next(self._numbers)}"
        whole = Execution(
            client_order_id=ticket.client_order_id,
            account=ticket.account,
            execution_id=number,
            quantity=ticket.quantity,
            price=ticket.limit_price,
            executed_at=now,
            commission=COMMISSION,
        )
        return BrokerOrder(
            client_order_id=ticket.client_order_id,
            broker_order_id=number,
            status=SliceStatus.FILLED,
            filled_quantity=ticket.quantity,
            executions=(whole,),
        )

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        pass

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        return None

    def reports(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        return ()


BROKERS["paper"] = f"{__name__}.{InstantBroker.__name__}"
