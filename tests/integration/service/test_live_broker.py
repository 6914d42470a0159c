"""The process that a live broker needs beside the workers: what runs, and what /readyz says."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from deepstack import processes
from deepstack.config import Config
from execution.broker.ibkr.endpoint import endpoint_of
from execution.models import Heartbeat, IbkrGateway
from tests.brokers.alpaca_rig import AlpacaRig, environment
from tests.brokers.simulator import LIVE
from tests.stack import Stack, free_port, wait_for

pytestmark = pytest.mark.any_date

PATIENCE = 30.0  # seconds for a process to start


def test_paper_trading_needs_none_and_the_process_waits_for_its_end(empty_stack: Stack) -> None:
    process = empty_stack.start("broker", processes.live_broker(), LIVE_BROKER="alpaca")
    wait_for(lambda: "waiting" in process.output(), PATIENCE, "the process to wait")
    assert process.alive
    assert process.stop(10) == 0


def test_alpaca_is_listened_to(alpaca: AlpacaRig, empty_stack: Stack) -> None:
    process = empty_stack.start("broker", processes.live_broker(), **environment(alpaca.peer.url))
    beating = Heartbeat.objects.filter(kind="LISTENER", process__endswith=f":{process.pid}")
    wait_for(beating.exists, PATIENCE, "the listener to show life")
    wait_for(lambda: alpaca.peer.tell("listeners") == 1, PATIENCE, "the stream to be heard")
    assert process.stop() == 0


def test_the_gateway_runs_also_while_tws_is_away(empty_stack: Stack) -> None:
    port = free_port()
    live = {**LIVE, "TRADING_MODE": "live", "LIVE_BROKER": "ibkr", "IBKR_PORT": str(port)}
    process = empty_stack.start("broker", processes.live_broker(), **live)
    rows = IbkrGateway.objects.filter(endpoint=f"127.0.0.1:{port}/1", seen_at_real__isnull=False)
    wait_for(rows.exists, PATIENCE, f"the gateway to show life\n{process.output(20)}")
    assert rows.get().state == IbkrGateway.State.DOWN
    assert process.stop() == 0


def test_trading_can_be_halted_however_wrong_the_configuration_is(empty_stack: Stack) -> None:
    words = ("--symbol", "NOBODYS", "--reason", "test")
    empty_stack.environment.update(TRADING_MODE="live", LIVE_BROKER="nobody")
    assert empty_stack.manage("halt", *words).returncode == 0
    assert "execution.E002" in empty_stack.manage("resume_trading", *words).stderr
    empty_stack.environment.clear()
    assert empty_stack.manage("resume_trading", *words).returncode == 0


IBKR = Config(trading_mode="live", live_broker="ibkr", ibkr_port=4444)
NOW, LONG_AGO = timedelta(0), timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("state", "age", "told"),
    [
        ("READY", NOW, {"ok": True, "state": "READY"}),
        ("LINK_LOST", NOW, {"ok": False, "state": "LINK_LOST"}),
        ("READY", LONG_AGO, {"ok": False, "reason": "none seen for some seconds"}),
        (None, NOW, {"ok": False, "reason": "none seen for some seconds"}),
    ],
)
def test_the_service_is_ready_only_with_its_gateway(
    client: Client,
    settings: Settings,
    state: str | None,
    age: timedelta,
    told: dict[str, Any],
) -> None:
    settings.CONFIG = IBKR
    if state:
        seen = timezone.now() - age
        IbkrGateway.objects.create(endpoint=endpoint_of(IBKR), state=state, seen_at_real=seen)
    answer = client.get("/readyz")
    assert answer.json()["parts"]["gateway"] == told


@pytest.mark.django_db(transaction=True)
def test_without_the_listener_alpaca_orders_are_executed_all_the_same(
    client: Client, settings: Settings
) -> None:
    settings.CONFIG = Config(trading_mode="live", live_broker="alpaca")
    assert client.get("/readyz").json()["parts"]["listener"] == {"ok": True, "alive": 0}
