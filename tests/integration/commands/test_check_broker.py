"""`manage.py check_broker`: what it says about a broker, and that it sends no order unasked."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from deepstack.config import Config
from execution.broker.alpaca import AlpacaBroker
from execution.broker.connection_check import Finding, Grade, examine, round_trip
from tests.brokers.alpaca_rig import AlpacaRig, environment, settings
from tests.stack import Stack

pytestmark = pytest.mark.django_db


def said(rig: AlpacaRig, **config: object) -> dict[str, Finding]:
    configured = settings(rig.peer.url, **config)
    findings = examine(AlpacaBroker(configured), configured, "AAPL", rig.now)
    return {finding.subject: finding for finding in findings}


@pytest.mark.parametrize(
    ("arrange", "subject", "grade", "words"),
    [
        (lambda rig: None, "connection", Grade.GOOD, "answers for account 'default'"),
        (lambda rig: None, "mode", Grade.GOOD, "no real money"),
        (lambda rig: None, "account", Grade.GOOD, "PA3PEER0001 is ACTIVE"),
        (lambda rig: None, "clock", Grade.GOOD, "s "),
        (lambda rig: None, "latency", Grade.GOOD, "ms for a question"),
        (lambda rig: None, "quote", Grade.GOOD, "AAPL 149.99 / 150.01"),
        (lambda rig: None, "volume", Grade.LOOK, "2 to 3 %"),
        (lambda rig: None, "executions", Grade.LOOK, "listen_alpaca"),
        (lambda rig: None, "open orders", Grade.GOOD, "0, all of this service"),
        (lambda rig: rig.set_clock(timedelta(seconds=4)), "clock", Grade.LOOK, "ahead"),
        (lambda rig: rig.set_clock(timedelta(seconds=-30)), "clock", Grade.BAD, "behind"),
        (lambda rig: rig.set_clock(timedelta(seconds=-30)), "sending", Grade.BAD, "clock"),
        (lambda rig: None, "sending", Grade.GOOD, "nothing of ours"),
        (lambda rig: rig.peer.tell("set", dateless=True), "sending", Grade.GOOD, "nothing"),
        (
            lambda rig: (
                rig.peer.tell(
                    "fault",
                    method="GET",
                    path="/v2/clock",
                    body={"timestamp": None},
                    do=True,
                    times=-1,
                )
                or rig.peer.tell("set", dateless=True)
            ),
            "connection",
            Grade.BAD,
            "timestamp",
        ),
        (lambda rig: None, "activities", Grade.GOOD, "can be read"),
        (
            lambda rig: rig.peer.tell(
                "fault",
                method="GET",
                path="/v2/account/activities",
                status=403,
                body={"message": "forbidden."},
                times=-1,
            ),
            "connection",
            Grade.BAD,
            "forbidden",
        ),
        (
            lambda rig: rig.peer.tell("set", flags={"trading_blocked": True}),
            "account",
            Grade.BAD,
            "blocked trading",
        ),
        (
            lambda rig: rig.peer.tell("set", flags={"status": "ONBOARDING"}),
            "account",
            Grade.BAD,
            "ONBOARDING",
        ),
        (lambda rig: rig.peer.tell("set", shorting=False), "short sales", Grade.LOOK, "held"),
        (lambda rig: rig.peer.tell("set", buying_power="0"), "money", Grade.BAD, "0.00"),
        (
            lambda rig: rig.peer.tell("set", flags={"currency": "EUR"}),
            "money",
            Grade.LOOK,
            "in EUR",
        ),
        (
            lambda rig: rig.foreign_order("MSFT", "SELL", 30),
            "open orders",
            Grade.LOOK,
            "SELL 30 MSFT",
        ),
        (
            lambda rig: rig.peer.tell("set", positions={"AAPL": -1200}),
            "positions",
            Grade.GOOD,
            "-1,200 AAPL",
        ),
        (
            lambda rig: rig.peer.tell(
                "quote", symbol="AAPL", bp=1.0, ap=2.0, t="2024-06-12T15:00:00.000000Z"
            ),
            "quote",
            Grade.LOOK,
            "nothing is sent",
        ),
        (
            lambda rig: rig.peer.tell(
                "fault", method="GET", path="/v2/", status=502, body="<html>", times=-1
            ),
            "connection",
            Grade.BAD,
            "502",
        ),
    ],
)
def test_what_it_says(
    alpaca: AlpacaRig,
    arrange: Callable[[AlpacaRig], object],
    subject: str,
    grade: Grade,
    words: str,
) -> None:
    arrange(alpaca)
    finding = said(alpaca)[subject]
    assert finding.grade == grade
    assert words in finding.words


def test_it_sends_no_order_unasked(alpaca: AlpacaRig) -> None:
    said(alpaca)
    assert {entry["method"] for entry in alpaca.peer.entries("attempt")} == {"GET"}


def trip(rig: AlpacaRig, config: Config, price: Decimal | None = None) -> list[Finding]:
    broker = AlpacaBroker(config)
    return list(round_trip(broker, config, "AAPL", price, rig.now, lambda seconds: None))


def test_the_round_trip_buys_one_share_far_below_and_cancels(alpaca: AlpacaRig) -> None:
    findings = trip(alpaca, alpaca.config)
    assert [(finding.subject, finding.grade) for finding in findings] == [
        ("order", Grade.GOOD),
        ("cancel", Grade.GOOD),
    ]
    (attempt,) = alpaca.peer.entries("attempt", method="POST")
    body = attempt["body"]
    assert isinstance(body, dict)
    assert (body["side"], body["qty"], body["limit_price"]) == ("buy", "1", "74.99")


def test_an_execution_in_the_round_trip_is_bad_news(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("set", auto_fill=0)
    (_, end) = trip(alpaca, alpaca.config)[-2:]
    assert end.grade == Grade.BAD


def test_no_round_trip_where_money_can_be_lost(alpaca: AlpacaRig) -> None:
    """Even with real trading on and confirmed."""
    live = {"trading_mode": "live", "live_trading_confirmed": True}
    for address in ("https://api.alpaca.markets", "https://alpaca.example.com"):
        (finding,) = trip(alpaca, settings(address, **live), Decimal("1.00"))
        assert (finding.grade, finding.words) == (
            Grade.BAD,
            "only a paper account is tried with an order",
        )


def test_the_command_on_the_peer(alpaca: AlpacaRig, empty_stack: Stack) -> None:
    empty_stack.environment.update(environment(alpaca.peer.url))
    done = empty_stack.manage("check_broker", "--roundtrip")
    assert done.returncode == 0, done.stderr
    assert f"alpaca {alpaca.peer.url}" in done.stdout
    assert "confirmed after" in done.stdout


def test_the_command_names_what_is_not_ready(alpaca: AlpacaRig, empty_stack: Stack) -> None:
    empty_stack.environment.update(environment(alpaca.peer.url, ALPACA_SECRET_KEY="wrong"))
    done = empty_stack.manage("check_broker", "alpaca")
    assert done.returncode == 1
    assert "not authorized" in done.stdout
    assert "alpaca is not ready: connection" in done.stderr


@pytest.mark.parametrize(
    ("words", "error_answer"),
    [
        (["alpaca", "--symbol", "no such"], "--symbol 'no such'"),
        (["alpaca", "--price", "cheap"], "--price 'cheap'"),
        (["alpaca"], "ALPACA_API_KEY"),
        (["nobody"], "invalid choice: 'nobody'"),
    ],
)
def test_a_wrong_call_says_what_is_allowed(words: list[str], error_answer: str) -> None:
    with pytest.raises(CommandError, match=error_answer):
        call_command("check_broker", *words)
