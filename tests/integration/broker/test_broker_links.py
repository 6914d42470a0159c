"""A broker that cannot be reached is known of within five seconds, and so is its return."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from deepstack.config import Config
from execution.broker import links
from execution.broker.links import Trouble, trouble
from execution.models import BrokerLink
from tests.brokers.ibkr_rig import IbkrRig, context, rig
from tests.stack import wait_for

__all__ = ["context", "rig"]

WITHIN = 5.0  # seconds
PAPER = Config()
ALPACA = Config(trading_mode="live", live_broker="alpaca", alpaca_base_url="http://127.0.0.1:1")
ADDRESS = links.address_of(ALPACA)


def live(config: Config) -> Config:
    return config.model_copy(update={"trading_mode": "live", "live_broker": "ibkr"})


@pytest.mark.django_db
def test_paper_trading_has_no_connection_to_lose() -> None:
    assert trouble(PAPER) is None


@pytest.mark.django_db
def test_a_connection_that_no_process_keeps_is_trouble_and_the_words_say_what_to_start() -> None:
    seen = trouble(ALPACA)
    assert seen is not None
    assert seen.since is None
    assert "manage.py listen_alpaca" in seen.reason


@pytest.mark.django_db
def test_a_process_that_vanished_while_all_was_well_leaves_trouble() -> None:
    links.note("alpaca", ADDRESS, reason="")
    assert trouble(ALPACA) is None
    seen = trouble(ALPACA, now=timezone.now() + timedelta(seconds=4))
    assert seen is not None
    assert "is gone" in seen.reason


@pytest.mark.django_db
def test_trouble_keeps_its_beginning_and_ends_when_the_broker_is_back() -> None:
    begun = timezone.now() - timedelta(seconds=30)
    links.note("alpaca", ADDRESS, reason="refused", since=begun)
    links.note("alpaca", ADDRESS, reason="timed out")
    assert trouble(ALPACA) == Trouble("alpaca", ADDRESS, begun, "timed out")
    links.note("alpaca", ADDRESS, reason="")
    assert trouble(ALPACA) is None
    assert BrokerLink.objects.filter(broker="alpaca", address=ADDRESS).count() == 1


@pytest.mark.django_db
def test_a_connection_made_anew_at_once_is_no_trouble() -> None:
    links.note("alpaca", ADDRESS, reason="reconnecting")
    assert trouble(ALPACA) is None
    assert trouble(ALPACA, now=timezone.now() + timedelta(seconds=2)) is not None


def _within(rig: IbkrRig) -> str:
    """The words of the trouble, once it is known."""
    config, began = live(rig.config), time.monotonic()
    wait_for(lambda: trouble(config), 30, "the trouble to be known")
    took = time.monotonic() - began
    assert took < WITHIN, f"known after {took:.1f} s"
    seen = trouble(config)
    assert seen is not None
    return seen.reason


def _well_again(rig: IbkrRig) -> None:
    wait_for(lambda: trouble(live(rig.config)) is None, 30, "the trouble to end")


def test_a_tws_that_goes_away_is_known_within_five_seconds_and_its_return_too(
    rig: IbkrRig,
) -> None:
    _well_again(rig)
    rig.tws.do("down")
    assert "DOWN" in _within(rig)
    rig.tws.do("up")
    _well_again(rig)


def test_a_tws_that_freezes_is_known_within_five_seconds(rig: IbkrRig) -> None:
    _well_again(rig)
    rig.tws.do("set", hang=True)
    assert _within(rig)
    rig.tws.do("set", hang=False)
    _well_again(rig)


@pytest.mark.parametrize("code", [1100, 2110])
def test_a_tws_that_lost_its_own_servers_is_known_within_five_seconds(
    rig: IbkrRig, code: int
) -> None:
    _well_again(rig)
    rig.tws.do("say", code=code)
    assert str(code) in _within(rig)
    rig.tws.do("say", code=1102)
    _well_again(rig)


def test_a_gateway_process_that_is_killed_is_known_within_five_seconds(rig: IbkrRig) -> None:
    _well_again(rig)
    gateway = rig.context.gateways[-1]
    gateway.kill()
    assert "manage.py ibkr_gateway" in _within(rig)
    rig.context.start()
    _well_again(rig)
