"""The whole service in front of a TWS peer that its tests share."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoDbBlocker

from deepstack import processes
from execution.models import IbkrGateway
from tests.brokers.ibkr_rig import CLIENT_ID, TIMES
from tests.brokers.peers.tws_hand import TwsHand, running_tws
from tests.brokers.simulator import LIVE
from tests.second_factor import token_of
from tests.stack import Process, SessionStacks, Stack, wait_for

PATIENCE = 60.0  # seconds


@pytest.fixture(scope="module")
def tws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwsHand]:
    with running_tws(tmp_path_factory.mktemp("tws")) as hand:
        yield hand


@pytest.fixture(scope="module")
def service(
    tws: TwsHand, session_stacks: SessionStacks, django_db_blocker: DjangoDbBlocker
) -> Iterator[Stack]:
    with django_db_blocker.unblock():
        stack = session_stacks.alone()
        stack.environment |= {
            "TRADING_MODE": "live",
            "LIVE_BROKER": "ibkr",
            **LIVE,
            "IBKR_HOST": "127.0.0.1",
            "IBKR_PORT": str(tws.port),
            "IBKR_CLIENT_ID": str(CLIENT_ID),
            **{f"IBKR__{name.upper()}": str(value) for name, value in TIMES.items()},
            "EXECUTION__SCHEDULING__LEASE_SECONDS": "6",
            "DEEPSTACK_TOKEN": token_of("ann", "Trader"),
        }
        stack.team()
        gateway(stack)
        yield stack
        session_stacks.end()
        User.objects.filter(username="ann").delete()


def gateway(stack: Stack) -> Process:
    made = stack.start(f"gateway-{len(stack.members)}", processes.ibkr_gateway())
    mine = IbkrGateway.objects.filter(process__endswith=f":{made.pid}", state="READY")
    wait_for(mine.exists, PATIENCE, f"the gateway to be ready\n{made.output(20)}")
    return made
