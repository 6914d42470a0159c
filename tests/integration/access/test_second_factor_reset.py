"""Who lost the phone gets a new second factor: by a named person, on record, and alerted."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.authtoken.models import Token

from deepstack import config
from execution.access import second_factor
from execution.access.second_factor import WrongCode
from execution.models import SecondFactorChange
from monitoring.alerting import surveillance
from tests.integration.access.test_second_factor import (
    ENROL,
    PAGE,
    always,
    enrol,
    in_office,
    logged_in,
    person,
)
from tests.integration.monitoring.rows import LIMITS, NOW
from tests.second_factor import enrolled

__all__ = ["always"]

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


def test_a_reset_is_on_record_alerts_and_ends_what_was_open() -> None:
    user = person()
    client = logged_in()
    _, codes = enrol(client)
    Token.objects.create(user=user)
    call_command("reset_second_factor", "eve", by="ann", reason="lost phone")
    assert not in_office(client)
    assert client.get(PAGE)["Location"] == ENROL
    assert not Token.objects.exists()
    with pytest.raises(WrongCode, match="no second factor is enrolled"):
        second_factor.check(user, codes[0], address="192.0.2.1")
    change = SecondFactorChange.objects.first()
    assert change is not None
    assert (change.kind, change.changed_by, change.reason) == ("RESET", "ann", "lost phone")
    (found,) = resets()
    assert found.message.startswith("the second factor of eve was reset by ann: lost phone. ")
    enrol(client)
    assert resets() == []
    assert in_office(client)


def test_a_reset_is_no_news_a_day_later() -> None:
    second_factor.reset(person(), by="ann", reason="lost phone")
    assert len(resets()) == 1
    SecondFactorChange.objects.update(changed_at_real=NOW.real_now - timedelta(days=1))
    assert resets() == []


def resets() -> list[surveillance.Finding]:
    found = surveillance.service_state(moment=NOW, config=config.current(), limits=LIMITS)
    return [each for each in found if each.kind == "SECOND_FACTOR_RESET"]


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [("nobody", "lost", "there is no user nobody"), ("eve", " ", "--reason is empty")],
)
def test_a_reset_names_what_was_asked_wrongly(name: str, reason: str, words: str) -> None:
    enrolled(person())
    with pytest.raises(CommandError, match=words):
        call_command("reset_second_factor", name, by="ann", reason=reason)
    assert TOTPDevice.objects.exists()


def test_a_reset_takes_two_where_four_eyes_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled(person())
    monkeypatch.setenv("CONTROLS__FOUR_EYES", "true")
    config.current.cache_clear()
    with pytest.raises(CommandError, match="A second person must ask"):
        call_command("reset_second_factor", "eve", by="ann", reason="lost phone")
    assert TOTPDevice.objects.exists()
    call_command("reset_second_factor", "eve", by="bob", reason="lost phone")
    assert not TOTPDevice.objects.exists()
