"""A POSITION break holds its symbol back until it is explained or a named person accepts it."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client

from execution import context as contexts
from execution.entry import acceptance
from execution.entry.order_controls import NotAllowed
from execution.management import roles
from execution.models import BrokerDifference, Order, PaperOrder, Slice
from execution.reconciliation import account_reconciliation, break_acceptance
from execution.risk import position_breaks
from execution.sending import delivery, slices
from tests.integration.order_steps import quote_at
from tests.integration.reconciliation.test_comparison import Account, account

__all__ = ["account"]

pytestmark = pytest.mark.django_db(transaction=True)

SYMBOL = "AAPL"
REASON = "sent before the restore, seen at the broker"


def lost(account: Account, quantity: int = 480, symbol: str = SYMBOL) -> PaperOrder:
    """An order of ours that the broker executed and our database forgot."""
    order = account.foreign(symbol, quantity, price=150)
    PaperOrder.objects.filter(pk=order.pk).update(client_order_id=f"{order.pk:016x}-0")
    order.refresh_from_db()
    return order


def broken(account: Account) -> BrokerDifference:
    account.compare()
    lost(account)
    account.compare()
    return break_acceptance.find(account.name, SYMBOL, account.context)


def retried(account: Account, **more: Any) -> Order:
    signal = {"symbol": SYMBOL, "side": "BUY", "quantity": 1_000, "algorithm": "TWAP", "slices": 1}
    values = signal | {"account": account.name, "client_reference": "wish-1", **more}
    return acceptance.accept(values, contexts.default())


def tried(account: Account, order: Order) -> tuple[str, str]:
    """What becomes of the order's child at its moment."""
    part = order.slices.get()
    slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at)
    part.refresh_from_db()
    return part.status, part.reason


def test_what_a_restored_database_forgot_is_not_traded_a_second_time(account: Account) -> None:
    """The strategy's retry is taken and waits, until a person has looked."""
    found = broken(account)
    order = retried(account)
    assert order.status == "ACCEPTED"
    assert [each.partition(":")[0] for each in order.routing["waits_for"]] == ["POSITION_BREAK"]
    status, reason = tried(account, order)
    assert status == "PLANNED"
    assert reason.startswith("POSITION_BREAK: ")
    assert "ours=0" in reason
    assert "theirs=480" in reason
    assert tried(account, retried(account, symbol="MSFT", client_reference="2"))[0] == "SENDING"
    break_acceptance.accept(found.pk, by="ann", reason=REASON, now=account.context.now())
    part = order.slices.get()
    assert (
        slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at) is not None
    )


def test_a_break_that_appears_after_the_claim_holds_the_child_back(account: Account) -> None:
    account.compare()
    part = retried(account).slices.get()
    intent = slices.claim(part, quote_at(part.due_at), contexts.default(), now=part.due_at)
    assert intent is not None
    broken(account)
    delivery.transmit(intent, contexts.default())
    part.refresh_from_db()
    assert (part.status, part.reason.partition(":")[0]) == ("PLANNED", "POSITION_BREAK")
    assert not PaperOrder.objects.filter(client_order_id=part.client_order_id).exists()


def test_the_break_names_the_orders_that_this_database_does_not_know(account: Account) -> None:
    account.compare()
    order = lost(account)
    account.compare(thorough=False)
    words = break_acceptance.find(account.name, SYMBOL, account.context).words
    assert "the broker has 480 shares, our fills make 0: +480" in words
    assert f"{order.client_order_id} (480 executed)" in words


def test_what_explains_itself_holds_nothing_back_any_more(account: Account) -> None:
    account.compare()
    order = lost(account)
    account.compare()
    waiting = retried(account)
    assert tried(account, waiting)[0] == "PLANNED"
    order.executions.all().delete()
    assert account.name in account_reconciliation.nightly(account.context) or account.compare()
    assert tried(account, waiting)[0] == "SENDING"
    with pytest.raises(NotAllowed, match="no open POSITION break"):
        break_acceptance.find(account.name, SYMBOL, account.context)


def test_nobody_accepts_other_shares_than_were_looked_at(account: Account) -> None:
    seen = broken(account)
    lost(account, 20)
    account.compare()
    account.compare()
    now = account.context.now()
    with pytest.raises(NotAllowed, match=r"the shares have changed, it is break .* has 500 shares"):
        break_acceptance.accept(seen.pk, by="ann", reason=REASON, now=now)
    found = break_acceptance.find(account.name, SYMBOL, account.context)
    assert (found.gap, BrokerDifference.objects.filter(subject=SYMBOL).count()) == ("500", 2)
    assert break_acceptance.accept(found.pk, by="ann", reason=REASON, now=now).theirs == "500"
    account.compare()
    assert not position_breaks.all_open(account.context)


def test_executions_that_are_under_way_are_no_break(account: Account) -> None:
    """The broker counts them in its position before it tells of them."""
    part = account.child()
    account.compare()
    other = lost(account, quantity=100)
    pauses: list[float] = []

    def told_late(seconds: float) -> None:
        pauses.append(seconds)
        if sum(pauses) > 4:
            other.executions.all().delete()

    report = account_reconciliation.compare(
        account.name, account.context, thorough=False, sleep=told_late
    )
    assert [each.kind for each in report.differences if each.kind == "POSITION"] == []
    assert sum(pauses) > 4, "it looked again while a child of ours works"
    assert Slice.objects.get(pk=part.pk).status == "WORKING"


def test_nobody_waits_for_executions_where_nothing_works(account: Account) -> None:
    account.compare()
    lost(account)
    pauses: list[float] = []
    account_reconciliation.compare(
        account.name, account.context, thorough=False, sleep=pauses.append
    )
    assert sum(pauses) < 3
    assert break_acceptance.find(account.name, SYMBOL, account.context)


def test_an_acceptance_during_a_comparison_is_not_undone_by_it(account: Account) -> None:
    found = broken(account)

    def accept_meanwhile(seconds: float) -> None:
        if position_breaks.still_open().filter(pk=found.pk).exists():
            break_acceptance.accept(found.pk, by="ann", reason=REASON, now=account.context.now())

    account_reconciliation.compare(
        account.name, account.context, thorough=False, sleep=accept_meanwhile
    )
    assert not position_breaks.still_open().filter(account=account.name).exists()
    assert account.found() == [("CASH", "cash")]


def test_the_acceptance_is_told_in_the_orders_that_waited(account: Account) -> None:
    found = broken(account)
    order = retried(account)
    taken = break_acceptance.accept(found.pk, by="ann", reason=REASON, now=account.context.now())
    assert (taken.accepted_by, taken.accepted_reason) == ("ann", REASON)
    told = order.events.get(kind="POSITION_BREAK_ACCEPTED").data
    assert (told["ours"], told["theirs"], told["by"]) == ("0", "480", "ann")
    with pytest.raises(NotAllowed, match="accepted by ann"):
        break_acceptance.accept(found.pk, by="bob", reason=REASON, now=account.context.now())


@pytest.mark.parametrize(("by", "reason"), [("", REASON), ("ann", " ")])
def test_nobody_accepts_without_a_name_and_a_reason(account: Account, by: str, reason: str) -> None:
    found = broken(account)
    with pytest.raises(ValueError, match="required"):
        break_acceptance.accept(found.pk, by=by, reason=reason, now=account.context.now())
    assert position_breaks.still_open().filter(pk=found.pk).exists()


def test_by_command(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    broken(account)
    words = ["--account", account.name, "--by", "ann", "--reason", REASON]
    call_command("accept_break", SYMBOL, *words)
    assert "accepted by ann: 480 AAPL" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no open POSITION break"):
        call_command("accept_break", SYMBOL, *words)


def person(role: str) -> Client:
    roles.ensure_roles()
    user = User.objects.create_user(role.lower(), password="secret", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def test_over_the_api_risk_accepts_and_a_trader_does_not(account: Account) -> None:
    found = broken(account)
    address = f"/api/v1/position-breaks/{found.pk}/accept/"
    risk_person, trader = person("Risk"), person("Trader")
    (shown,) = trader.get(f"/api/v1/position-breaks/?account={account.name}").json()["results"]
    assert (shown["id"], shown["theirs"], shown["gone_at"]) == (found.pk, "480", None)
    body = {"reason": REASON}
    assert trader.post(address, body, content_type="application/json").status_code == 403
    assert risk_person.post(address, {}, content_type="application/json").status_code == 400
    done = risk_person.post(address, body, content_type="application/json")
    assert (done.status_code, done.json()["accepted_by"]) == (200, "risk")
    again = risk_person.post(address, body, content_type="application/json")
    assert again.status_code == 409
    missing = risk_person.post(
        "/api/v1/position-breaks/0/accept/", body, content_type="application/json"
    )
    assert missing.status_code == 404


def test_in_the_admin_risk_accepts_with_a_reason(account: Account) -> None:
    found = broken(account)
    form = {"action": "accept", "_selected_action": [str(found.pk)], "index": "0"}
    address = "/admin/execution/brokerdifference/"
    person("Trader").post(address, form | {"reason": REASON})
    client = person("Risk")
    client.post(address, form)
    assert position_breaks.still_open().filter(pk=found.pk).exists(), "a reason is missing"
    client.post(address, form | {"reason": REASON})
    found.refresh_from_db()
    assert (found.accepted_by, found.accepted_reason) == ("risk", REASON)
