"""Single sign-on before an identity provider in a process of its own: who gets in, as what, and
that no wrong answer lets anybody in."""

import importlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import NoReverseMatch, clear_url_caches, reverse
from rest_framework.authtoken.models import Token

import deepstack.urls
from deepstack import config
from deepstack.web import login_throttle, session_limits
from execution.management.roles import ROLES
from tests import identity_provider
from tests.baseline import addresses
from tests.identity_provider import CLIENT, SECRET, Provider
from tests.second_factor import code, enrolled

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

BEGIN = "/admin/single-sign-on/"
LOGIN = "/admin/login/"
ORDERS, PAGE = "/api/v1/orders/", "/admin/execution/order/"
PASSWORD = "a long pass phrase"
GROUPS = {"OIDC_TRADER_GROUPS": "desk", "OIDC_RISK_GROUPS": "risk, officers"}
Configure = Callable[..., None]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """While it runs, the addresses are those of a web process that was started with it."""
    with identity_provider.running() as provider, pytest.MonkeyPatch.context() as patch:
        for name, value in of(provider).items():
            patch.setenv(name, value)
        start_anew()
        yield provider
        patch.undo()
        start_anew()


def of(provider: Provider) -> dict[str, str]:
    issuer = {"OIDC_ISSUER": provider.issuer}
    return {**issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}


def start_anew() -> None:
    config.current.cache_clear()
    importlib.reload(deepstack.urls)
    clear_url_caches()


@pytest.fixture
def on(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Single sign-on is on, and more may be set."""

    def configure(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        config.current.cache_clear()

    login_throttle.throttle.forget()
    provider.say()
    yield configure
    monkeypatch.undo()
    config.current.cache_clear()
    login_throttle.throttle.forget()


def person(name: str = "ann", *roles: str, **more: Any) -> User:
    user = User.objects.create_user(name, password=PASSWORD, **{"is_staff": True, **more})
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def sign_on(provider: Provider, client: Client | None = None, onwards: str = "") -> Any:
    """The answer that the browser gets in the end."""
    client = client or Client()
    sent = client.get(BEGIN, {"next": onwards} if onwards else {})
    assert sent.status_code == 302, sent.content
    back = provider.log_in(sent["Location"])
    assert back.startswith(f"http://testserver{BEGIN}callback/?")
    answer = client.get(back.removeprefix("http://testserver"))
    answer.browser = client
    return answer


def in_office(client: Client) -> bool:
    return bool(client.get(ORDERS).status_code == 200)


def refused(answer: Any) -> str:
    """What the page says, where nobody was let in."""
    assert answer.status_code == 403
    assert "_auth_user_id" not in answer.browser.session
    assert not in_office(answer.browser)
    return str(answer.content.decode())


def roles(name: str = "ann") -> set[str]:
    return set(User.objects.get(username=name).groups.values_list("name", flat=True))


def own_addresses() -> set[str]:
    """Of the web process, by the list that `make baseline` sweeps."""
    return {each for each in addresses.of_service({"": 1}) if "single" in each}


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


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({}, "there is no user"),
        ({"is_active": False}, "Active and Staff"),
        ({"is_staff": False}, "Active and Staff"),
        ({"is_superuser": True}, "not for superusers"),
    ],
)
def test_who_may_not_come_in_is_told_why(
    on: Configure, provider: Provider, user: dict[str, bool], said: str
) -> None:
    if user:
        person(**user)
    assert said in refused(sign_on(provider))
    assert User.objects.count() == len(user)


def test_a_superuser_comes_in_where_it_is_allowed_and_keeps_the_roles(
    on: Configure, provider: Provider
) -> None:
    on(OIDC_SUPERUSERS="true", **GROUPS)
    person("ann", "Viewer", is_superuser=True)
    provider.say({"groups": ["risk"]})
    assert sign_on(provider).status_code == 302
    assert roles() == {"Viewer"}


def test_roles_follow_the_groups_at_each_login(on: Configure, provider: Provider) -> None:
    on(**GROUPS)
    user = person("ann", "Viewer")
    user.groups.add(Group.objects.create(name="our own"))
    for groups, expected in (
        (["desk", "canteen"], {"Trader"}),
        (["desk", "officers"], {"Trader", "Risk"}),
        (["risk"], {"Risk"}),
    ):
        provider.say({"groups": groups})
        assert sign_on(provider).status_code == 302
        assert roles() == {*expected, "our own"}
    told = LogEntry.objects.order_by("pk").values_list("object_id", "change_message")
    assert list(told) == [
        (str(user.pk), f"roles by single sign-on: {each}")
        for each in ("Viewer -> Trader", "Trader -> Risk, Trader", "Risk, Trader -> Risk")
    ]


@pytest.mark.parametrize("groups", [None, [], ["canteen"], "desk", [["desk"]], {"desk": True}])
@pytest.mark.parametrize("known", [True, False])
def test_without_a_mapped_group_nobody_comes_in_and_nothing_is_stored(
    on: Configure, provider: Provider, groups: object, *, known: bool
) -> None:
    on(OIDC_CREATE_USERS="true", **GROUPS)
    if known:
        person("ann", "Viewer")
    provider.say({"groups": groups})
    assert "no group that has a role" in refused(sign_on(provider))
    assert User.objects.count() == known
    if known:
        assert roles() == {"Viewer"}


def test_a_user_is_created_at_the_first_login_without_a_password(
    on: Configure, provider: Provider
) -> None:
    on(OIDC_CREATE_USERS="true", **GROUPS)
    provider.say({"groups": ["desk"]})
    assert in_office(sign_on(provider).browser)
    user = User.objects.get()
    assert (user.username, user.is_staff, user.is_superuser) == ("ann", True, False)
    assert not user.has_usable_password()
    assert LogEntry.objects.filter(object_id=user.pk).count() == 2  # created, with a role
    assert roles() == {"Trader"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bob <b>", "cannot be a user&#x27;s name"),
        ("b" * 151, "cannot be a user&#x27;s name"),
        ("Ann", "reads like the name of another user"),
        ("\uff42ob", "reads like the name of another user"),
    ],
)
def test_a_name_that_no_new_user_can_have_is_refused(
    on: Configure, provider: Provider, name: str, said: str
) -> None:
    on(OIDC_CREATE_USERS="true", **GROUPS)
    person("ann", is_superuser=True)
    provider.say({"groups": ["desk"], "preferred_username": name})
    assert said in refused(sign_on(provider))
    assert User.objects.count() == 1


@pytest.mark.parametrize("verified", [True, False, None, "true"])
def test_an_address_names_a_user_where_it_is_verified(
    on: Configure, provider: Provider, verified: object
) -> None:
    on(OIDC_USER_CLAIM="email")
    person("ann@desk.example", "Trader")
    provider.say({"email": "ann@desk.example", "email_verified": verified})
    assert in_office(sign_on(provider).browser) is (verified is True)


def test_what_the_id_token_lacks_is_asked_of_the_userinfo_endpoint(
    on: Configure, provider: Provider
) -> None:
    on(OIDC_CREATE_USERS="true", CONTROLS__SECOND_FACTOR="always", **GROUPS)
    thin = {"preferred_username": None, "amr": None}
    whole = {"preferred_username": "ann", "groups": ["risk"], "amr": ["mfa"]}
    provider.say(thin, {**whole, "sub": "2"})
    refused(sign_on(provider))
    assert not User.objects.exists()
    provider.say(thin, whole)
    client = sign_on(provider).browser
    assert roles() == {"Risk"}
    assert client.get(PAGE)["Location"].startswith("/admin/second-factor/")  # `amr` is not taken


def test_the_second_factor_of_the_provider_counts_for_that_login_alone(
    on: Configure, provider: Provider
) -> None:
    on(CONTROLS__SECOND_FACTOR="always")
    enrolled(person("ann", "Risk"))
    client = sign_on(provider).browser
    assert in_office(client)
    answer = client.post(LOGIN, {"username": "ann", "password": PASSWORD})
    assert answer.status_code == 302
    assert not in_office(client)


@pytest.mark.parametrize(
    ("setting", "claims", "enough"),
    [
        (None, {"amr": ["mfa"]}, True),
        (None, {"amr": ["pwd"]}, False),
        (None, {"amr": None}, False),
        (None, {"amr": []}, False),
        (None, {"amr": [["otp"]]}, False),
        (None, {"amr": None, "acr": "mfa"}, True),
        (None, {"amr": None, "acr": "gold"}, False),
        ("gold", {"amr": None, "acr": "gold"}, True),
        ("gold", {"amr": ["mfa"]}, False),
        ("", {"amr": ["mfa"]}, False),
    ],
)
def test_without_a_second_factor_there_our_own_code_is_asked_for(
    on: Configure, provider: Provider, setting: str | None, claims: dict[str, Any], *, enough: bool
) -> None:
    on(CONTROLS__SECOND_FACTOR="always")
    if setting is not None:
        on(OIDC_SECOND_FACTOR=setting)
    device = enrolled(person("ann", "Risk"))
    provider.say(claims)
    client = sign_on(provider).browser
    assert in_office(client) is enough
    if not enough:
        assert client.get(PAGE)["Location"].startswith("/admin/second-factor/")
        assert client.get("/admin/execution/tradingstate/halt-all/").status_code == 200
        assert client.post("/admin/second-factor/", {"code": code(device.key)}).status_code == 302
        assert in_office(client)


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
