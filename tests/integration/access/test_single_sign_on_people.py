"""Whom single sign-on lets in, as what, and when a second factor is asked for."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User

from tests.identity_provider import Provider
from tests.integration.access.sign_on import (
    GROUPS,
    LOGIN,
    PAGE,
    PASSWORD,
    Configure,
    in_office,
    person,
    refused,
    roles,
    sign_on,
)
from tests.second_factor import code, enrolled

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


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
