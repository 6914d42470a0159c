"""The order manager: one way to every broker, four kinds of error."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime

import pytest
from django.db import OperationalError

from deepstack.config import ROOT
from execution.broker.base import (
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    DuplicateOrder,
    OutcomeUnknown,
    Ticket,
)
from execution.broker.order_manager import OrderManager
from execution.domain.lifecycle import SliceStatus
from tests.integration.broker.test_paper_trader import CONFIG, NOW, ticket

pytestmark = pytest.mark.django_db

PLAIN_SCRIPT = """
from deepstack.config import Config
{first}
{second}
config = Config.from_env()
manager = OrderManager(config=config, paper_trader=PaperTrader(config=config))
print(manager.name)
"""


IMPORTS = (
    "from execution.broker.order_manager import OrderManager",
    "from execution.broker.paper_trader import PaperTrader",
)


@pytest.mark.parametrize(("first", "second"), [IMPORTS, IMPORTS[::-1]])
def test_a_plain_script_needs_no_set_up(first: str, second: str) -> None:
    script = PLAIN_SCRIPT.format(first=first, second=second)
    environment = {key: value for key, value in os.environ.items() if "DJANGO" not in key}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment
    )

    assert (done.stdout, done.returncode) == ("paper\n", 0), done.stderr


class Stub:
    """A broker that fails in one way."""

    name = "stub"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        raise self.error

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        raise self.error

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        raise self.error

    def reports(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (BrokerRejected("NO", "no"), BrokerRejected),
        (DuplicateOrder("c1"), DuplicateOrder),
        (BrokerUnavailable("away"), BrokerUnavailable),
        (OutcomeUnknown("?"), OutcomeUnknown),
        (TimeoutError("read timed out"), OutcomeUnknown),
        (KeyError("id"), OutcomeUnknown),
    ],
)
def test_the_door_knows_four_errors(error: Exception, seen: type[Exception]) -> None:
    manager = OrderManager(config=CONFIG, paper_trader=Stub(error))

    for ask in (
        lambda: manager.place(ticket(), now=NOW),
        lambda: manager.find("c1", now=NOW),
        lambda: manager.cancel("c1", now=NOW),
        lambda: manager.reports("default", NOW, now=NOW),
    ):
        with pytest.raises(seen) as raised:
            ask()
        assert raised.value is error or raised.value.__cause__ is error


def test_a_database_that_is_lost_while_an_order_leaves_is_no_proof_that_it_did_not() -> None:
    manager = OrderManager(config=CONFIG, paper_trader=Stub(OperationalError("gone")))

    with pytest.raises(OutcomeUnknown):
        manager.place(ticket(), now=NOW)
    with pytest.raises(OperationalError):
        manager.find("c1", now=NOW)


def test_the_door_makes_its_own_paper_trader() -> None:
    manager = OrderManager(config=CONFIG)
    placed = manager.place(ticket(), now=NOW)

    assert manager.name == "paper"
    assert placed.status == SliceStatus.FILLED
    assert manager.find("c1", now=NOW) == placed
    assert manager.reports("default", NOW, now=NOW) == [placed]
    manager.cancel("c1", now=NOW)
