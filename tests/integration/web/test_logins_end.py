"""Logins: where they are on record, when they are refused, and how they and tokens end."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from deepstack.config import current
from deepstack.web import login_throttle, session_limits

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

LOGIN = {"username": "eve", "password": "a long pass phrase"}


@pytest.fixture
def user() -> Iterator[User]:
    login_throttle.throttle.forget()
    yield User.objects.create_superuser(**LOGIN)
    login_throttle.throttle.forget()


@pytest.fixture
def browser(user: User) -> Client:
    browser = Client()
    assert browser.login(**LOGIN)
    return browser


def aged(browser: Client, name: str, **span: float) -> None:
    session = browser.session
    session[name] = (timezone.now() - timedelta(**span)).isoformat()
    session.save()


def test_a_login_goes_on_while_a_person_works(browser: Client) -> None:
    aged(browser, session_limits.ACTIVE, minutes=29)
    assert browser.get("/admin/").status_code == 200
    noted = datetime.fromisoformat(browser.session[session_limits.ACTIVE])
    assert timezone.now() - noted < timedelta(minutes=1)


def test_what_a_page_asks_by_itself_keeps_no_login_alive(browser: Client) -> None:
    aged(browser, session_limits.ACTIVE, minutes=29)
    before = browser.session[session_limits.ACTIVE]
    assert browser.get("/admin/operations/live/").status_code == 200
    assert browser.session[session_limits.ACTIVE] == before


@pytest.mark.parametrize(
    ("name", "minutes"), [(session_limits.ACTIVE, 30), (session_limits.BEGAN, 12 * 60)]
)
def test_a_login_that_is_over_does_nothing_more(browser: Client, name: str, minutes: int) -> None:
    aged(browser, name, minutes=minutes)
    answer = browser.post("/admin/execution/tradingstate/halt-all/", {"reason": "x"})
    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]
    assert browser.get("/api/v1/orders/").status_code in (401, 403)


def ask(**more: object) -> dict[str, str]:
    answer = APIClient().post("/api/v1/token/", {**LOGIN, **more}, format="json")
    assert answer.status_code == 200, answer.content
    told: dict[str, str] = answer.json()
    return told


def status(key: str) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return int(client.get("/api/v1/orders/").status_code)


def test_a_token_expires_and_the_next_one_is_another(user: User) -> None:
    first = ask()
    assert ask() == first
    assert status(first["token"]) == 200
    Token.objects.update(created=timezone.now() - timedelta(days=current().token_days))
    assert status(first["token"]) == 401
    second = ask()
    assert second["token"] != first["token"]
    assert status(second["token"]) == 200
    assert datetime.fromisoformat(second["expires_at"]) > timezone.now() + timedelta(days=89)


def test_a_token_is_rotated_when_asked(user: User) -> None:
    first = ask()["token"]
    second = ask(rotate=True)["token"]
    assert (status(first), status(second)) == (401, 200)


DOORS = ("/admin/login/", "/api/v1/token/")


def log_in(door: str, *, address: str, password: str = LOGIN["password"]) -> Any:
    form = urlencode({**LOGIN, "password": password})
    client = Client(REMOTE_ADDR=address)
    return client.post(door, form, content_type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("door", DOORS)
def test_after_five_wrong_passwords_the_right_one_waits_and_nobody_elsewhere_does(
    user: User, door: str
) -> None:
    for _ in range(login_throttle.MOST_OF_NAME):
        wrong = log_in(door, address="6.6.6.6", password="wrong")
        assert wrong.status_code in (200, 400)
    refused = log_in(door, address="6.6.6.6")
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= login_throttle.WINDOW
    assert log_in(door, address="1.2.3.4").status_code == (302 if door == DOORS[0] else 200)


def test_each_login_is_on_record_with_user_and_address(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for door in DOORS:
        log_in(door, address="1.2.3.4")
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    logins = [line for line in lines if line["event"] == "login"]
    told = [(line["user"], line["address"], line["path"]) for line in logins]
    assert told == [("eve", "1.2.3.4", door) for door in DOORS]
