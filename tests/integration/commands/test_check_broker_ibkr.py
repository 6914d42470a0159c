"""`manage.py check_broker ibkr`: what it says, and that it sends no order unasked."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from deepstack.config import Config
from execution.broker.connection_check import Finding, Grade, examine, round_trip
from execution.broker.ibkr import account_check
from execution.broker.ibkr.adapter import InteractiveBrokers
from execution.broker.ibkr.endpoint import endpoint_of
from execution.models import IbkrGateway
from tests.brokers.ibkr_rig import IbkrRig, context, rig
from tests.brokers.rig import PATIENCE
from tests.stack import wait_for

__all__ = ["context", "rig"]

PLACE = 3


def said(config: Config) -> dict[str, Finding]:
    findings = examine(InteractiveBrokers(config), config, "AAPL", timezone.now)
    return {finding.subject: finding for finding in findings}


def has_its_words(rig: IbkrRig, subject: str, grade: Grade, words: str) -> bool:
    finding = said(rig.config).get(subject)
    return finding is not None and finding.grade == grade and words in finding.words


@pytest.mark.parametrize(
    ("arrange", "subject", "grade", "words"),
    [
        (lambda rig: None, "connection", Grade.GOOD, "answers for account 'default'"),
        (lambda rig: None, "mode", Grade.GOOD, "paper: no real money"),
        (lambda rig: None, "account", Grade.GOOD, "'default' is DU1234567"),
        (lambda rig: None, "gateway", Grade.GOOD, "READY in process"),
        (lambda rig: None, "permission", Grade.GOOD, "orders may be read"),
        (lambda rig: None, "clock", Grade.GOOD, "s "),
        (lambda rig: None, "latency", Grade.GOOD, "ms for a question"),
        (lambda rig: None, "messages", Grade.GOOD, "45 a second"),
        (lambda rig: None, "lost orders", Grade.GOOD, "none"),
        (lambda rig: None, "client library", Grade.GOOD, "ib_"),
        (lambda rig: None, "quote", Grade.GOOD, "AAPL"),
        (lambda rig: rig.set_clock(timedelta(seconds=5)), "clock", Grade.LOOK, "ahead"),
        (lambda rig: rig.set_clock(timedelta(seconds=-30)), "gateway", Grade.BAD, "HELD"),
        (lambda rig: rig.tws.do("set", buying_power="0"), "money", Grade.BAD, "0.00"),
        (lambda rig: rig.tws.do("set", currency="JPY"), "money", Grade.LOOK, "in JPY"),
        (
            lambda rig: rig.foreign_order("MSFT", "SELL", 30),
            "open orders",
            Grade.LOOK,
            "SELL 30 MSFT",
        ),
        (
            lambda rig: rig.tws.do("set", positions={"AAPL": -1200}),
            "positions",
            Grade.GOOD,
            "-1,200 AAPL",
        ),
        (lambda rig: rig.tws.do("down"), "connection", Grade.BAD, "no usable answer"),
    ],
)
def test_what_it_says(
    rig: IbkrRig,
    arrange: Callable[[IbkrRig], object],
    subject: str,
    grade: Grade,
    words: str,
) -> None:
    arrange(rig)
    wait_for(
        lambda: has_its_words(rig, subject, grade, words),
        PATIENCE,
        f"{subject} to be {grade}: {words}; it is {said(rig.config).get(subject)}",
    )


def test_an_account_that_the_login_has_not_is_bad(rig: IbkrRig) -> None:
    finding = said(rig.config.model_copy(update={"account": "U7"}))["connection"]
    assert finding.grade == Grade.BAD
    assert "not an account of this login" in finding.words


def test_without_a_gateway_it_says_what_to_start(rig: IbkrRig) -> None:
    finding = said(rig.config.model_copy(update={"ibkr_client_id": 99}))["connection"]
    assert finding.grade == Grade.BAD
    assert "start `manage.py ibkr_gateway`" in finding.words


def test_it_sends_no_order_unasked(rig: IbkrRig) -> None:
    before = len(rig.tws.log(PLACE))
    said(rig.config)
    assert len(rig.tws.log(PLACE)) == before


def trip(config: Config, price: Decimal | None = None) -> list[Finding]:
    broker = InteractiveBrokers(config)
    return list(round_trip(broker, config, "AAPL", price, timezone.now, lambda seconds: None))


def test_the_round_trip_buys_one_share_far_below_and_cancels(rig: IbkrRig) -> None:
    before = len(rig.tws.log(PLACE))
    findings = trip(rig.config)
    assert [(finding.subject, finding.grade) for finding in findings] == [
        ("order", Grade.GOOD),
        ("cancel", Grade.GOOD),
    ]
    assert len(rig.tws.log(PLACE)) == before + 1
    placed = rig.tws.do("orders")[-1]
    assert (placed["side"], placed["quantity"], placed["status"]) == ("BUY", 1, "Cancelled")
    assert Decimal(placed["limit"]) < 100


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("accounts", "trial"),
    [
        (["DU1234567"], True),
        (["DF1", "DU2"], True),
        (["U1234567"], False),
        (["DU1", "U2"], False),
        ([], False),
    ],
)
def test_only_paper_accounts_are_tried(accounts: list[str], trial: bool) -> None:
    config = Config(ibkr_port=4321)
    now = timezone.now()
    IbkrGateway.objects.create(
        endpoint=endpoint_of(config),
        state="READY",
        accounts=accounts,
        seen_at_real=now,
        heard_at_real=now,
    )
    assert InteractiveBrokers(config).trial == trial
    if not trial:
        (finding,) = trip(config, Decimal("1.00"))
        assert (finding.grade, finding.words) == (
            Grade.BAD,
            "only a paper account is tried with an order",
        )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("accounts", "port", "grade", "words"),
    [
        (["DU1"], 7497, Grade.GOOD, "paper: no real money"),
        (["DU1"], 4001, Grade.LOOK, "port 4001 is usually that of a live login"),
        (["U1"], 7496, Grade.LOOK, "REAL MONEY"),
        (["U1"], 7497, Grade.LOOK, "REAL MONEY; port 7497 is usually that of a paper login"),
        ([], 7497, Grade.BAD, "unknown"),
    ],
)
def test_whose_money_it_is_says_the_account_and_not_the_port(
    accounts: list[str], port: int, grade: Grade, words: str
) -> None:
    config = Config(ibkr_port=port)
    gateway = IbkrGateway.objects.create(endpoint=endpoint_of(config), accounts=accounts)
    found = {each.subject: each for each in account_check.findings(gateway, config)}
    assert found["mode"].grade == grade
    assert words in found["mode"].words


def test_where_no_gateway_runs_nothing_is_tried(rig: IbkrRig) -> None:
    assert not InteractiveBrokers(rig.config.model_copy(update={"ibkr_port": 4322})).trial
