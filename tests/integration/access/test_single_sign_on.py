"""Single sign-on before an identity provider in a process of its own: the way there and back, and
that no wrong answer lets anybody in."""

import logging
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import NoReverseMatch, reverse
from rest_framework.authtoken.models import Token

from deepstack import config
from deepstack.web import login_throttle, session_limits
from execution.management.roles import ROLES
from tests.identity_provider import CLIENT, SECRET, Provider
from tests.integration.access.sign_on import (
    BEGIN,
    GROUPS,
    LOGIN,
    PAGE,
    PASSWORD,
    Configure,
    in_office,
    of,
    own_addresses,
    person,
    refused,
    roles,
    sign_on,
    start_anew,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


def test_without_a_setting_there_is_neither_address_nor_button(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in of(provider):
        monkeypatch.delenv(name)
    start_anew()
    try:
        with pytest.raises(NoReverseMatch):
            reverse("single_sign_on")
        assert own_addresses() == set()
        for address in (BEGIN, f"{BEGIN}callback/?code=1&state=2"):
            assert Client().get(address)["Location"].startswith(LOGIN)
        page = Client().get(LOGIN).content.decode()
        assert "single" not in page
        assert "<details" not in page
    finally:
        monkeypatch.undo()
        start_anew()


def test_a_person_whom_a_superuser_created_comes_in(on: Configure, provider: Provider) -> None:
    person("ann", "Trader")
    assert "Sign in with single sign-on" in Client().get(LOGIN).content.decode()
    answer = sign_on(provider, onwards="/admin/execution/slice/?status=SENT")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/execution/slice/?status=SENT")
    assert in_office(answer.browser)
    assert answer.browser.get(PAGE).status_code == 200
    assert roles() == {"Trader"}
    asked = provider.asked()
    assert asked["scope"] == "openid profile email"
    assert {"state", "nonce", "code_challenge"} <= asked.keys()


EARLIER = int(time.time()) - 3_600
WRONG: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "another nonce": ({"nonce": "another"}, {}),
    "no nonce": ({"nonce": None}, {}),
    "expired": ({"exp": EARLIER}, {}),
    "no end": ({"exp": None}, {}),
    "for another client": ({"aud": "another"}, {}),
    "for us and others, to others": ({"aud": [CLIENT, "another"], "azp": "another"}, {}),
    "for another client, by us": ({"aud": "another", "azp": CLIENT}, {}),
    "for nobody": ({"aud": None}, {}),
    "of another issuer": ({"iss": "https://login.example"}, {}),
    "unsigned": ({}, {"signature": "none"}),
    "signed by another key": ({}, {"signature": "of another key"}),
    "signed by the public key": ({}, {"signature": "by the public key"}),
    "signed by our secret": ({}, {"signature": "by our secret"}),
    "no ID token": ({}, {"no_id_token": "yes"}),
    "nobody's name": ({"preferred_username": None}, {}),
    "a name that is none": ({"preferred_username": ["ann"]}, {}),
    "denied there": ({}, {"error": "access_denied"}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_lets_nobody_in(on: Configure, provider: Provider, what: str) -> None:
    on(OIDC_CREATE_USERS="true", **GROUPS)
    claims, faults = WRONG[what]
    provider.say({"groups": ["desk"], **claims}, **faults)
    refused(sign_on(provider))
    assert not User.objects.exists()
    provider.say({"groups": ["desk"]})
    assert sign_on(provider).status_code == 302
    assert roles() == {"Trader"}


def test_an_answer_counts_once_and_in_the_browser_that_asked(
    on: Configure, provider: Provider
) -> None:
    person("ann", "Trader")
    client, other = Client(), Client()
    back = provider.log_in(client.get(BEGIN)["Location"]).removeprefix("http://testserver")
    assert other.get(back).status_code == 403
    forged = back.replace("state=", "state=x")
    assert client.get(forged).status_code == 403
    assert client.get(back).status_code == 302
    assert client.get(back).status_code == 403
    assert not in_office(other)
    assert in_office(client)


def test_the_session_has_another_key_after_the_login(on: Configure, provider: Provider) -> None:
    person()
    client = Client()
    client.get(BEGIN)
    before = client.session.session_key
    sign_on(provider, client)
    assert client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "TRACE"])
def test_nobody_gets_anything_at_its_addresses_but_the_way_to_the_provider(
    on: Configure, method: str
) -> None:
    assert own_addresses() == {BEGIN, f"{BEGIN}callback/"}
    statuses = [Client().generic(method, each).status_code for each in sorted(own_addresses())]
    assert statuses == ([302, 403] if method == "GET" else [405, 405])


@pytest.mark.parametrize(
    "onwards",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"],
)
def test_it_leads_to_no_page_of_somebody_else(
    on: Configure, provider: Provider, onwards: str
) -> None:
    person()
    assert sign_on(provider, onwards=onwards)["Location"] == "/admin/"


def test_a_login_by_it_ends_as_any_other(on: Configure, provider: Provider) -> None:
    person("ann", "Trader")
    client = sign_on(provider).browser
    session = client.session
    session[session_limits.BEGAN] = "2020-01-02T03:04:05+00:00"
    session.save()
    assert not in_office(client)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def test_logins_and_refusals_are_on_record_and_refusals_make_the_address_wait(
    on: Configure, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    person()
    sign_on(provider)
    login = next(line for line in lines(caplog) if line["event"] == "login")
    assert (login["user"], login["address"]) == ("ann", "127.0.0.1")
    assert login["path"] == f"{BEGIN}callback/"
    provider.say({"preferred_username": "eve"})
    for _ in range(login_throttle.MOST_OF_ADDRESS):
        refused(sign_on(provider))
    failed = [line for line in lines(caplog) if line["event"] == "login failed"]
    assert [line["user"] for line in failed] == ["eve"] * login_throttle.MOST_OF_ADDRESS
    busy = Client().get(BEGIN)
    assert busy.status_code == 429
    assert int(busy["Retry-After"]) > 0
    assert SECRET not in caplog.text


def test_no_page_of_somebody_else_makes_an_address_wait(on: Configure) -> None:
    for query in ("code=1&state=2", "error=access_denied", ""):
        for _ in range(login_throttle.MOST_OF_ADDRESS):
            assert Client().get(f"{BEGIN}callback/?{query}").status_code == 403
    assert login_throttle.throttle.wait("127.0.0.1") == 0


@pytest.mark.parametrize(
    "faults",
    [
        {"discovery_issuer": "https://login.example"},
        {"token_endpoint": "http://login.example/token"},
    ],
)
def test_a_provider_that_is_set_up_wrong_is_not_asked(
    on: Configure, provider: Provider, faults: dict[str, str]
) -> None:
    provider.say({}, **faults)
    assert Client().get(BEGIN).status_code == 503


def test_a_provider_that_is_away_leaves_the_password(on: Configure) -> None:
    on(OIDC_ISSUER="http://127.0.0.1:9")
    answer = Client().get(BEGIN)
    assert answer.status_code == 503
    assert "does not answer" in answer.content.decode()
    person()
    client = Client()
    assert client.post(LOGIN, {"username": "ann", "password": PASSWORD}).status_code == 302


def test_a_provider_that_takes_no_basic_gets_the_secret_in_the_form(
    on: Configure, provider: Provider
) -> None:
    person()
    provider.say({}, auth_method="client_secret_post")
    assert sign_on(provider).status_code == 302


def test_alone_it_leaves_passwords_to_superusers_and_to_tokens(on: Configure) -> None:
    on(OIDC_ONLY="true")
    person("ann", "Trader")
    person("root", is_superuser=True)
    assert "Superuser: sign in with a password" in Client().get(LOGIN).content.decode()
    for name, status in (("ann", 200), ("root", 302)):
        client = Client()
        answer = client.post(LOGIN, {"username": name, "password": PASSWORD})
        assert answer.status_code == status
        assert in_office(client) is (name == "root")
    asked = {"username": "ann", "password": PASSWORD}
    assert (
        Client().post("/api/v1/token/", asked, content_type="application/json").status_code == 200
    )
    assert Token.objects.get().user.username == "ann"


def test_the_callback_has_the_address_that_is_registered_at_the_provider(on: Configure) -> None:
    sent = Client().get(BEGIN)["Location"]
    [back] = parse_qs(urlsplit(sent).query)["redirect_uri"]
    assert back == f"http://testserver{BEGIN}callback/"


def test_the_roles_that_groups_are_mapped_to_are_ours() -> None:
    assert set(config.Config().oidc_role_groups) == set(ROLES)
