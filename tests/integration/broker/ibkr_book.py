"""What the book knows of an order at the TWS peer."""

from execution.broker.base import (
    BrokerOrder,
    Ticket,
)
from tests.brokers.ibkr_rig import IbkrRig
from tests.brokers.rig import PATIENCE
from tests.stack import wait_for

PLACE = 3

EXECUTIONS_ASKED, EXECUTIONS_SHOWN = (7, "in"), (11, "out")


def compared(rig: IbkrRig) -> None:
    """Once all that TWS has said so far is in the book, and the orders were compared again."""
    before = rig.context.row.reconciled_at_real
    rig.tws.do("say", code=1102)
    wait_for(
        lambda: rig.context.row.reconciled_at_real != before and rig.context.row.state == "READY",
        PATIENCE,
        "a comparison",
    )


def now_is(rig: IbkrRig, ticket: Ticket) -> BrokerOrder:
    seen = rig.find(ticket)
    assert seen is not None
    return seen
