"""What tests of single sign-on share: the settings, people, and one login as a browser makes it."""

import importlib
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import clear_url_caches

import deepstack.urls
from deepstack import config
from tests.baseline import addresses
from tests.identity_provider import CLIENT, SECRET, Provider

BEGIN = "/admin/single-sign-on/"
LOGIN = "/admin/login/"
ORDERS, PAGE = "/api/v1/orders/", "/admin/execution/order/"
PASSWORD = "a long pass phrase"
GROUPS = {"OIDC_TRADER_GROUPS": "desk", "OIDC_RISK_GROUPS": "risk, officers"}
Configure = Callable[..., None]


def of(provider: Provider) -> dict[str, str]:
    issuer = {"OIDC_ISSUER": provider.issuer}
    return {**issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}


def start_anew() -> None:
    config.current.cache_clear()
    importlib.reload(deepstack.urls)
    clear_url_caches()


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
