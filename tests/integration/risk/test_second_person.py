"""Where `controls.four_eyes` is set, what loosens a control takes two persons."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from threading import Thread

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test import Client

from deepstack import config
from deepstack.config_controls import Controls
from execution import context
from execution.management.roles import ensure_roles
from execution.models import (
    Approval,
    DatabaseOrigin,
    Recovery,
    RestrictedSymbol,
    RiskLimit,
    TradingState,
)
from execution.reconciliation import recovery
from execution.risk import kill_switch, limits, recovery_mode
from execution.risk.second_person import SecondPersonNeeded
from monitoring.alerting import surveillance
from tests.integration.monitoring.rows import LIMITS, NOON, NOW
from tests.stack import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

SYSTEM = {"scope": "SYSTEM", "key": ""}


@pytest.fixture(autouse=True)
def four_eyes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CONTROLS__FOUR_EYES", "true")
    config.current.cache_clear()
    yield
    monkeypatch.undo()
    config.current.cache_clear()


def halt(scope: str = "SYSTEM", key: str = "") -> None:
    kill_switch.halt(scope=scope, key=key, by="ann", reason="drill", now=NOON)


def resume(by: str, state: str = "ACTIVE") -> None:
    kill_switch.change(**SYSTEM, state=state, by=by, reason="over", now=NOON)


def state() -> str:
    return TradingState.objects.get(scope="SYSTEM").state


def office(name: str) -> Client:
    ensure_roles()
    user, _ = User.objects.get_or_create(username=name, is_staff=True)
    user.groups.set([Group.objects.get(name="Risk")])
    client = Client()
    client.force_login(user)
    return client


def test_a_halt_takes_one_and_its_end_two() -> None:
    halt()
    assert state() == "HALTED"
    for _ in range(2):
        with pytest.raises(SecondPersonNeeded, match=r"proposed by ann\. A second person must ask"):
            resume("ann")
    assert state() == "HALTED"
    assert Approval.objects.count() == 1
    resume("bob")
    assert state() == "ACTIVE"
    known = Approval.objects.get()
    assert (known.proposed_by, known.approved_by) == ("ann", "bob")


def test_what_was_proposed_before_another_halt_does_not_lift_it() -> None:
    halt()
    with pytest.raises(SecondPersonNeeded):
        resume("ann")
    halt()
    with pytest.raises(SecondPersonNeeded, match="proposed by bob"):
        resume("bob")
    assert state() == "HALTED"
    resume("ann")
    assert state() == "ACTIVE"


def test_an_approval_is_good_for_what_was_proposed_and_once() -> None:
    halt()
    with pytest.raises(SecondPersonNeeded):
        resume("ann")
    with pytest.raises(SecondPersonNeeded):
        resume("bob", state="REDUCING")
    assert state() == "HALTED"
    resume("bob")
    halt()
    with pytest.raises(SecondPersonNeeded):
        resume("bob")
    assert state() == "HALTED"


def test_after_its_time_the_second_is_the_first() -> None:
    halt()
    with pytest.raises(SecondPersonNeeded):
        resume("ann")
    Approval.objects.update(expires_at_real=F("proposed_at_real") - timedelta(seconds=1))
    with pytest.raises(SecondPersonNeeded, match="proposed by bob"):
        resume("bob")


def test_over_the_api_it_is_a_conflict_that_says_what_is_missing() -> None:
    halt()
    ask = {"reason": "over", **SYSTEM}
    first = office("ann").post("/api/v1/resume-trading/", ask, content_type="application/json")
    assert first.status_code == 409
    assert first.json()["code"] == "SECOND_PERSON_NEEDED"
    second = office("bob").post("/api/v1/resume-trading/", ask, content_type="application/json")
    assert second.status_code == 200
    assert state() == "ACTIVE"


def test_on_the_command_line_it_is_a_sentence_and_no_traceback() -> None:
    halt()
    with pytest.raises(CommandError, match="A second person must ask for the same until"):
        call_command("resume_trading", "--reason", "over", "--by", "ann", stdout=StringIO())
    call_command("resume_trading", "--reason", "over", "--by", "bob", stdout=StringIO())
    assert state() == "ACTIVE"


def test_recovery_mode_is_released_by_two() -> None:
    recovery_mode.forget_newest_event()
    recovery_mode.adopt()
    DatabaseOrigin.objects.update(database=F("database") + 1)
    recovery_mode.check()
    with pytest.raises(SecondPersonNeeded, match=r"release recovery mode since .* ET: "):
        recovery.release(context.default(), by="ann", reason="compared")
    assert state() == "HALTED"
    recovery.release(context.default(), by="bob", reason="compared")
    assert state() == "ACTIVE"
    assert Recovery.objects.get().released_by == "bob"


def change(row: RiskLimit, by: str, **values: str) -> str:
    """What the page says to the form; of all limits, those named with another value."""
    shown = {
        name: "" if (value := getattr(row, name)) is None else str(value) for name in limits.FIELDS
    }
    form = {**shown, **{f"initial-{name}": value for name, value in shown.items()}, **values}
    address = f"/admin/execution/risklimit/{row.pk}/change/"
    page = office(by).post(address, form)
    return page.content.decode() if page.status_code == 200 else "saved"


def test_a_limit_is_lowered_by_one_and_raised_by_two() -> None:
    row = limits.set_limits(**SYSTEM, values={"max_position": 1000}, by="ann")
    assert change(row, "ann", max_position="500", max_open_orders="7") == "saved"
    row.refresh_from_db()
    assert (row.max_position, row.max_open_orders) == (500, 7)
    for raised in ("900", ""):
        assert "A second person must ask" in change(row, "ann", max_position=raised)
        row.refresh_from_db()
        assert row.max_position == 500
    assert "A second person must ask" in change(row, "bob", max_position="901")
    assert change(row, "bob", max_position="900") == "saved"
    row.refresh_from_db()
    assert row.max_position == 900


def test_what_restricts_is_taken_away_by_two_and_one_by_one() -> None:
    limits.restrict(symbol="AAPL", reason="insider list", by="ann")
    row = RestrictedSymbol.objects.get()
    address = f"/admin/execution/restrictedsymbol/{row.pk}/delete/"
    told = office("ann").post(address, {"post": "yes"}, follow=True).content.decode()
    assert "A second person must ask" in told
    assert RestrictedSymbol.objects.exists()
    assert (
        "delete_selected"
        not in office("ann").get("/admin/execution/restrictedsymbol/").content.decode()
    )
    office("bob").post(address, {"post": "yes"})
    assert not RestrictedSymbol.objects.exists()


def test_a_proposal_is_an_alert_until_it_is_approved() -> None:
    halt()
    with pytest.raises(SecondPersonNeeded):
        resume("ann")
    found = {
        each.kind: each
        for each in surveillance.service_state(moment=NOW, config=config.current(), limits=LIMITS)
    }
    assert "ann proposes trading state of SYSTEM: ACTIVE: over" in found["APPROVAL_WANTED"].message
    resume("bob")
    kinds = [
        each.kind
        for each in surveillance.service_state(moment=NOW, config=config.current(), limits=LIMITS)
    ]
    assert "APPROVAL_WANTED" not in kinds


def test_one_person_is_enough_unless_two_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Controls().four_eyes is False
    monkeypatch.setenv("CONTROLS__FOUR_EYES", "false")
    config.current.cache_clear()
    halt()
    resume("ann")
    assert state() == "ACTIVE"
    assert not Approval.objects.exists()


def test_a_halt_that_comes_between_the_look_and_the_resume_stays() -> None:
    """Nothing was halted when the first looked, so that nobody else was asked."""
    resume("ann")
    refused = list[str]()

    def resume_again() -> None:
        try:
            resume("ben")
        except ValueError as error:
            refused.append(str(error))
        finally:
            connection.close()

    other = Thread(target=resume_again)
    with transaction.atomic():
        row = TradingState.objects.select_for_update().get(**SYSTEM)
        other.start()
        wait_for(
            lambda: TradingState.objects.raw("SELECT 1 AS id FROM pg_locks WHERE NOT granted")[:],
            10,
            "the resume to wait for the row",
        )
        row.state, row.changed_by, row.reason = "HALTED", "cleo", "runaway"
        row.save()
    other.join()
    assert refused == ["SYSTEM HALTED by cleo in this moment: runaway. Ask again to lift it"]
    assert state() == "HALTED"
    assert not Approval.objects.exists()
