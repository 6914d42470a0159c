"""`manage.py reconcile`: what differs from the broker, in words and in JSON."""

import json
import secrets

import pytest

from execution.models import BrokerDifference, PaperOrder
from tests.stack import Stack


@pytest.fixture
def account() -> str:
    return f"told-{secrets.token_hex(4)}"


def foreign(account: str) -> PaperOrder:
    """An order that somebody else has open in the account."""
    then = "2026-11-20T15:00Z"
    return PaperOrder.objects.create(
        client_order_id=f"foreign-{account}",
        account=account,
        symbol="ZZZ",
        side="BUY",
        quantity=70,
        limit_price=1,
        status="WORKING",
        accepted_at=then,
        changed_at=then,
        matched_until=then,
    )


def test_it_says_what_differs_and_what_the_account_has(stack: Stack, account: str) -> None:
    first = stack.manage("reconcile", account, ACCOUNT=account)
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"paper {account}: cash 10,000,000.00, buying power 20,000,000.00" in first.stdout
    assert "no difference" in first.stdout

    order = foreign(account)
    second = stack.manage("reconcile", account, ACCOUNT=account)
    assert second.returncode == 1
    assert "EXTERNAL_ORDER BUY 70 ZZZ is open at the broker and not ours" in second.stdout
    third = stack.manage("reconcile", account, "--json", ACCOUNT=account)
    assert third.returncode == 1
    (told,) = json.loads(third.stdout)["accounts"]
    (difference,) = told["differences"]
    assert (difference["kind"], difference["theirs"]) == ("EXTERNAL_ORDER", "BUY 70 ZZZ")
    assert (told["problem"], told["positions"]) == ("", {})

    order.delete()
    assert stack.manage("reconcile", account, ACCOUNT=account).returncode == 0
    stack.manage("resume_trading", "--symbol", "ZZZ", "--reason", "the test is over")


def test_a_named_person_accepts_what_the_account_holds(stack: Stack, account: str) -> None:
    stack.manage("reconcile", account, ACCOUNT=account)
    order = foreign(account)
    order.executions.create(quantity=70, price=20, commission=0, executed_at=order.accepted_at)
    PaperOrder.objects.filter(pk=order.pk).update(status="FILLED", filled_quantity=70)
    words = ["reconcile", account, "--accept", "--by", "ann"]
    accepted = stack.manage(*words, ACCOUNT=account)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert "accepted as held before: 2" in accepted.stdout
    rows = BrokerDifference.objects.filter(account=account)
    assert {(row.kind, row.accepted_by) for row in rows} == {("POSITION", "ann"), ("CASH", "ann")}
    assert stack.manage("reconcile", account, ACCOUNT=account).returncode == 0


def test_an_account_without_orders_of_ours_is_refused(stack: Stack) -> None:
    wrong = stack.manage("reconcile", "nobody")
    assert wrong.returncode == 2
    assert "account 'nobody': allowed are" in wrong.stderr
