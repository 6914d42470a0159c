"""Interactive Brokers under test: the TWS peer, a gateway process, and the workers' adapter."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import cast

import pytest
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from deepstack import processes
from deepstack.config import Config
from deepstack.config_ibkr import Ibkr
from execution.broker.base import BrokerUnavailable, OutcomeUnknown, Ticket
from execution.broker.ibkr.adapter import InteractiveBrokers
from execution.broker.ibkr.endpoint import endpoint_of
from execution.domain.lifecycle import SliceStatus
from execution.models import IbkrExecution, IbkrGateway, IbkrOrder
from tests.brokers.peers.tws_hand import ACCOUNT, TwsHand, running_tws
from tests.brokers.rig import PATIENCE, Can, Refusal, Rig
from tests.stack import Process, Stack, wait_for

CLIENT_ID = 17
START_SECONDS = 60.0
# Shorter than in production, so that what waits for them can be tested.
TIMES = {
    "answer_seconds": 3.0,
    "pick_up_seconds": 2.0,
    "request_seconds": 2.0,
    "fresh_seconds": 2.5,
    "grace_seconds": 1.6,
    "heartbeat_seconds": 0.2,
}


@dataclass
class Context:
    """A TWS and the means to run gateways against it."""

    tws: TwsHand
    stack: Stack
    gateways: list[Process] = field(default_factory=list)

    @cached_property
    def config(self) -> Config:
        return Config(
            ibkr_host="127.0.0.1",
            ibkr_port=self.tws.port,
            ibkr_client_id=CLIENT_ID,
            ibkr=Ibkr(**TIMES),
        )

    @property
    def row(self) -> IbkrGateway:
        return IbkrGateway.objects.get(endpoint=endpoint_of(self.config))

    def start(self, **env: str) -> Process:
        """A gateway process, running and READY."""
        process = self.begin(**env)
        self.ready(process)
        return process

    def begin(self, **env: str) -> Process:
        name = f"gateway-{len(self.gateways) + 1}"
        command = processes.ibkr_gateway()
        self.gateways.append(self.stack.start(name, command, **env))
        return self.gateways[-1]

    def forget(self) -> None:
        """What its gateways have stored: the tests of other modules look at all rows."""
        gateways = IbkrGateway.objects.filter(endpoint=endpoint_of(self.config))
        IbkrExecution.objects.filter(order__gateway__in=gateways).delete()
        IbkrOrder.objects.filter(gateway__in=gateways).delete()
        gateways.delete()

    def ready(self, process: Process | None = None) -> None:
        since = timezone.now()
        process = process or self.gateways[-1]

        def is_ready() -> bool:
            assert process.alive, process.output(40)
            with suppress(IbkrGateway.DoesNotExist):
                row = self.row
                heard = row.heard_at_real is not None and row.heard_at_real > since
                return heard and row.state == IbkrGateway.State.READY
            return False

        wait_for(is_ready, START_SECONDS, f"the gateway to be ready\n{process.output(20)}")

    def in_state(self, state: str) -> IbkrGateway:
        wait_for(lambda: self.row.state == state, START_SECONDS, f"the gateway to be {state}")
        return self.row


@contextmanager
def running_context(folder: Path) -> Iterator[Context]:
    with running_tws(folder) as tws:
        environment = {
            "IBKR_HOST": "127.0.0.1",
            "IBKR_PORT": str(tws.port),
            "IBKR_CLIENT_ID": str(CLIENT_ID),
            **{f"IBKR__{name.upper()}": str(value) for name, value in TIMES.items()},
        }
        context = Context(tws, Stack(folder, environment))
        try:
            yield context
        finally:
            context.stack.kill_all()
            context.forget()


def _refuse(code: int, text: str) -> Callable[[Rig], None]:
    return lambda rig: cast(IbkrRig, rig).refuse_next(code, text)


class IbkrRig(Rig):
    account = ACCOUNT
    lists_unasked = True
    broker: InteractiveBrokers
    lacks = {Can.LIMIT_RATE: "the gateway keeps below it, and TWS names no order when it complains"}
    refusals = (
        Refusal("201", _refuse(201, "Order rejected - reason: margin")),
        Refusal("110", _refuse(110, "The price does not conform")),
        Refusal("321", _refuse(321, "Error validating request: read-only")),
        Refusal("203", _refuse(203, "not available or allowed")),
        Refusal("200", ticket={"symbol": "NOSUCH"}),
        Refusal("ACCOUNT_UNKNOWN", ticket={"account": "U999"}),
    )

    def __init__(self, context: Context) -> None:
        self.context = context
        self.tws = context.tws
        self.config = context.config
        self.broker = InteractiveBrokers(config=context.config)

    def refuse_next(self, code: int, text: str) -> None:
        self.tws.do("once", refuse=[code, text])

    def now(self) -> datetime:
        return timezone.now()

    def another(self) -> InteractiveBrokers:
        return InteractiveBrokers(config=self.context.config)

    def fill(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        self.tws.do("fill", ref=client_order_id, quantity=quantity, price=str(price))

    def fill_late(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        self.fill(client_order_id, quantity, price)

    def accepted(self, client_order_id: str) -> int:
        count: int = self.tws.do("accepted", ref=client_order_id)
        return count

    def repeat_executions(self, client_order_id: str) -> None:
        self.tws.do("repeat", ref=client_order_id)

    def correct(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        self.tws.do("correct", ref=client_order_id, quantity=quantity, price=str(price))

    def hold_cancels(self) -> None:
        self.tws.do("set", hold_cancels=True)

    def end(self, client_order_id: str, status: SliceStatus) -> None:
        if status == SliceStatus.REJECTED:
            self.tws.do(
                "end", ref=client_order_id, status="Inactive", completed="Rejected", code=201
            )
        else:
            self.tws.do("end", ref=client_order_id, status="Cancelled", code=202)

    def lose_answer(self) -> None:
        self.tws.do("once", silent=True)

    def lose_request(self) -> None:
        self.tws.do("once", lose=True)

    def hang(self) -> None:
        self.tws.do("set", hang=True)

    def break_connection(self) -> None:
        self.tws.do("down")

    def set_clock(self, skew: timedelta) -> None:
        self.tws.do("set", clock_skew=skew.total_seconds())

    def set_account(
        self, *, cash: Decimal, buying_power: Decimal, positions: Mapping[str, int]
    ) -> None:
        self.tws.do(
            "set", cash=str(cash), buying_power=str(buying_power), positions=dict(positions)
        )

    def foreign_order(self, symbol: str, side: str, quantity: int) -> None:
        self.tws.do("foreign", symbol=symbol, side=side, quantity=quantity)

    def placed(self, **changes: object) -> Ticket:
        """A busy machine may be late with the heartbeats for a moment: then it is not sent."""
        ticket = self.ticket(**changes)

        def place() -> bool:
            with suppress(BrokerUnavailable):
                self.broker.place(ticket, now=self.now())
                return True
            return False

        wait_for(place, PATIENCE, f"{ticket.client_order_id} to be placed")
        return ticket

    def sees_none(self, ticket: Ticket) -> None:
        """Once the order is definitely not at the broker."""

        def definite_no() -> bool:
            with suppress(BrokerUnavailable, OutcomeUnknown):
                return self.find(ticket) is None
            return False

        wait_for(definite_no, PATIENCE, f"a definite answer about {ticket.client_order_id}")


@pytest.fixture(scope="module")
def context(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Context]:
    with django_db_blocker.unblock(), running_context(tmp_path_factory.mktemp("ibkr")) as context:
        context.begin()
        yield context


@pytest.fixture
def rig(context: Context, django_db_blocker: DjangoDbBlocker) -> Iterator[IbkrRig]:
    with django_db_blocker.unblock():
        context.tws.do("reset")
        context.tws.do("up")
        context.ready()
        yield IbkrRig(context)
