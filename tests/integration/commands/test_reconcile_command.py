"""`manage.py reconcile`: what differs from the broker, in words and in JSON."""

import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError

from execution.models import BrokerCursor, BrokerDifference, PaperOrder
from tests.integration.commands.console import ended, run

# Not long ago: the paper exchange brings an open order up to now, minute by minute.
THEN = datetime.now(UTC) - timedelta(minutes=5)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account() -> str:
    """One that is known, because the broker was asked about it."""
    name = f"told-{secrets.token_hex(4)}"
    BrokerCursor.objects.create(broker="paper", account=name, heard_until=THEN)
    return name


def foreign(account: str) -> PaperOrder:
    """An order that somebody else has open in the account."""
    return PaperOrder.objects.create(
        client_order_id=f"foreign-{account}",
        account=account,
        symbol="ZZZ",
        side="BUY",
        quantity=70,
        limit_price=1,
        status="WORKING",
        accepted_at=THEN,
        changed_at=THEN,
        matched_until=THEN,
    )


def test_it_says_what_differs_and_what_the_account_has(account: str) -> None:
    first = run("reconcile", account)
    assert f"paper {account}: cash 10,000,000.00, buying power 20,000,000.00" in first
    assert "no difference" in first

    order = foreign(account)
    code, second = ended("reconcile", account)
    assert code == 1
    assert "EXTERNAL_ORDER BUY 70 ZZZ is open at the broker and not ours" in second
    code, third = ended("reconcile", account, "--json")
    assert code == 1
    (told,) = json.loads(third)["accounts"]
    (difference,) = told["differences"]
    assert (difference["kind"], difference["theirs"]) == ("EXTERNAL_ORDER", "BUY 70 ZZZ")
    assert (told["problem"], told["positions"]) == ("", {})

    order.delete()
    assert "no difference" in run("reconcile", account)


def test_a_named_person_accepts_what_the_account_holds(account: str) -> None:
    run("reconcile", account)
    order = foreign(account)
    order.executions.create(quantity=70, price=20, commission=0, executed_at=order.accepted_at)
    PaperOrder.objects.filter(pk=order.pk).update(status="FILLED", filled_quantity=70)
    accepted = run("reconcile", account, "--accept", "--by", "ann")
    assert "accepted as held before: 2" in accepted
    rows = BrokerDifference.objects.filter(account=account)
    assert {(row.kind, row.accepted_by) for row in rows} == {("POSITION", "ann"), ("CASH", "ann")}
    assert "no difference" in run("reconcile", account)


def test_an_account_without_orders_of_ours_is_refused() -> None:
    with pytest.raises(CommandError, match="account 'nobody': allowed are") as refusal:
        run("reconcile", "nobody")
    assert refusal.value.returncode == 2
