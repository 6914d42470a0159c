"""No address of the web process is open to whom it should not be, whatever the method; every answer
carries the headers that keep a browser from doing harm with it."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.test import Client
from rest_framework.authtoken.models import Token

from execution import context
from execution.entry import acceptance
from execution.management.roles import ensure_roles
from execution.models import Order
from tests.baseline import addresses

pytestmark = [pytest.mark.django_db, pytest.mark.any_date, pytest.mark.timeout(600)]

SIGNS_OF_LIFE = {"execution.MarketClock", "execution.Heartbeat"}
WHOLE = os.environ.get("BASELINE") == "whole"
CLOSELY = "order|slice|tradingstate|risklimit|alert|calendaroverride|user|tokenproxy"
OTHER_TABLES = re.compile(rf"/admin/(execution|monitoring|auth|authtoken)/(?!({CLOSELY})/)\w+/.+/")
MARK = "seen-by-the-wrong-eyes"
# Plausible to whatever takes it: a refusal must be of the person, not of an empty body.
BODY = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 7,
    "scope": "SYSTEM",
    "state": "HALTED",
    "key": "",
    "name": "sneaky",
    "username": "sneaky",
    "day": "2030-01-02",
    "value": "1",
    "reason": "baseline",
    "confirm": "yes",
    "post": "yes",
}
# What anybody may ask, and what everybody may who has logged in.
OPEN = {"/", "/healthz", "/readyz", "/admin/login/", "/api/v1/token/"}
OWN = {
    "/admin/",
    "/admin/jsi18n/",
    "/admin/logout/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/search/",
    "/admin/second-factor/",
    "/admin/second-factor/codes/",
    "/admin/second-factor/enrol/",
    "/api/v1/docs/",
    "/api/v1/schema/",
}
# What reads although its method is one that writes.
READS = {"/api/v1/orders/preview/"}
HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=()",
}


@dataclass(frozen=True, slots=True)
class Answer:
    method: str
    address: str
    status: int
    text: str
    headers: dict[str, str]

    @property
    def refused(self) -> bool:
        """Or sent elsewhere; whether anything was changed on the way, the rows tell."""
        return 300 <= self.status < 500

    def __str__(self) -> str:
        return f"{self.method} {self.address}: {self.status}"


@pytest.fixture
def order() -> Order:
    """Live, of an account and a strategy that the wrong eyes must not see."""
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 700, "algorithm": "TWAP", "slices": 3}
    more = {"account": MARK, "strategy": MARK, "window_minutes": 60}
    return acceptance.accept(signal | more, context.default())


def person(role: str) -> User | None:
    """`nobody` has not logged in, `roleless` is staff without a role, `outside` not even that."""
    ensure_roles()
    if role == "nobody":
        return None
    user, _ = User.objects.get_or_create(username=role, is_staff=role != "outside")
    if role not in ("roleless", "outside"):
        user.groups.set([Group.objects.get(name=role)])
    return user


def client_of(role: str, **how: bool) -> Client:
    client = Client(**how)
    client.raise_request_exception = False
    if (user := person(role)) is not None:
        client.force_login(user)
    return client


def every_address(order: Order) -> list[str]:
    """Of tables that are all served by the same pages, a few stand for the others unless the whole
    is asked for (`make baseline`)."""
    part = order.slices.earliest("pk")
    found = addresses.of_service({"/order": order.pk, "/slice": part.pk, "": 1})
    return found if WHOLE else [each for each in found if not OTHER_TABLES.match(each)]


def ask(client: Client, method: str, address: str) -> Answer:
    coded: dict[str, Any] = {"data": BODY}
    if method == "GET":
        coded = {}
    elif "/api/" in address or method != "POST":
        coded = {"data": json.dumps(BODY), "content_type": "application/json"}
    answer = (
        client.generic(method, address)
        if method == "TRACE"
        else _send(client, method, address, coded)
    )
    text = "" if answer.streaming else answer.content.decode(errors="replace")
    return Answer(method, address, answer.status_code, text, dict(answer.headers))


def _send(client: Client, method: str, address: str, coded: dict[str, Any]) -> Any:
    return getattr(client, method.lower())(address, **coded)


def sweep(client: Client, order: Order, *, reading: bool, writing: bool) -> Iterator[Answer]:
    """Every address by every method that it may tell apart: a page of the back office takes all
    but POST as GET."""
    for address in every_address(order):
        if address == "/admin/logout/":
            continue
        others = ("PUT", "PATCH", "DELETE", "TRACE") if address.startswith("/api/") else ()
        for method in (*["GET"] * reading, *["POST", *others] * writing):
            yield ask(client, method, address)


def rows(*models: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that is stored of these; of all of ours, and of people, without any."""
    wanted = [apps.get_model(name) for name in models] or [
        *apps.get_app_config("execution").get_models(),
        *apps.get_app_config("monitoring").get_models(),
        User,
        Group,
        Token,
    ]
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values_list())
        for model in wanted
        if model._meta.label not in SIGNS_OF_LIFE
    }


def test_every_address_is_known_to_the_sweep(order: Order) -> None:
    found = every_address(order)
    assert len(found) > (200 if WHOLE else 80)
    assert {*OPEN, *OWN, *READS} <= set(found)
    assert f"/api/v1/orders/{order.pk}/cancel/" in found
    assert f"/admin/execution/order/{order.pk}/change/" in found
    assert not [each for each in found if set(each) & set("<>()[]^$?")]


@pytest.mark.parametrize("role", ["nobody", "outside", "roleless"])
def test_who_has_no_role_sees_nothing_and_changes_nothing(role: str, order: Order) -> None:
    client, before = client_of(role), rows()
    allowed = OPEN if role == "nobody" else OPEN | OWN
    findings = []
    for answer in sweep(client, order, reading=True, writing=role == "roleless"):
        if MARK in answer.text:
            findings.append(f"{answer} shows an order")
        if not answer.refused and answer.address not in allowed:
            findings.append(f"{answer} is open")
        if answer.status >= 500 and answer.address != "/readyz":
            findings.append(f"{answer} fails")
    assert findings == []
    assert rows() == before


def test_a_viewer_changes_nothing(order: Order) -> None:
    """A page that is read only answers a POST as it answers a GET; what matters are the rows."""
    client, before = client_of("Viewer"), rows()
    findings = [
        str(answer)
        for answer in sweep(client, order, reading=False, writing=True)
        if not answer.refused
        and answer.address.startswith("/api/")
        and answer.address not in {*OPEN, *OWN, *READS}
    ]
    assert findings == []
    assert rows() == before


@pytest.mark.parametrize(
    ("role", "others"),
    [
        (
            "Trader",
            (
                "execution.TradingState",
                "execution.RiskLimit",
                "execution.RestrictedSymbol",
                "execution.MarketHalt",
                "execution.CalendarOverride",
                "execution.BrokerDifference",
                "monitoring.Alert",
                "auth.User",
                "auth.Group",
                "authtoken.Token",
            ),
        ),
        ("Risk", ("execution.CalendarOverride", "auth.User", "auth.Group", "authtoken.Token")),
    ],
)
def test_a_role_changes_nothing_of_the_others(
    role: str, others: tuple[str, ...], order: Order
) -> None:
    client, before = client_of(role), rows(*others)
    orders = Order.objects.count()
    for answer in sweep(client, order, reading=False, writing=True):
        assert answer.status < 500, str(answer)
    assert rows(*others) == before
    if role == "Risk":
        assert Order.objects.count() == orders


def test_a_page_of_somebody_else_cannot_use_the_login(order: Order) -> None:
    client, before = client_of("Risk", enforce_csrf_checks=True), rows()
    findings = [
        str(answer)
        for answer in sweep(client, order, reading=False, writing=True)
        if not answer.refused
    ]
    assert findings == []
    assert rows() == before


def test_every_answer_tells_the_browser_what_it_may_do_with_it(order: Order) -> None:
    findings = []
    for role in ("nobody", "Viewer"):
        for answer in sweep(client_of(role), order, reading=True, writing=False):
            findings += [
                f"{answer}: {name}"
                for name, part in HEADERS.items()
                if part not in answer.headers.get(name, "")
            ]
            kept = "no-store" in answer.headers.get("Cache-Control", "")
            if MARK in answer.text and not kept:
                findings.append(f"{answer}: may be kept by a browser or a proxy")
    assert findings == []


def test_cookies_reach_no_script_no_other_site_and_no_plain_connection(
    settings: LazySettings,
) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"https": True})
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    User.objects.create_superuser("root", password="not-a-secret-of-anybody")
    client = Client()
    page = client.get("/admin/login/", secure=True)
    login = client.post(
        "/admin/login/",
        {"username": "root", "password": "not-a-secret-of-anybody"},
        secure=True,
    )
    assert login.status_code == 302
    session, token = login.cookies["sessionid"], page.cookies["csrftoken"]
    assert session["httponly"]
    assert session["secure"]
    assert token["secure"]
    assert {session["samesite"], token["samesite"]} == {"Lax"}


@pytest.mark.parametrize("address", ["/admin/login/", "/api/v1/orders/"])
def test_a_host_of_somebody_else_and_another_method_in_a_header_are_refused(
    address: str, settings: LazySettings
) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert Client().get(address, headers={"host": "evil.example"}).status_code == 400
    hidden = Client().get(address, headers={"x-http-method-override": "POST"})
    assert hidden.status_code == Client().get(address).status_code
