"""Errors in the back office: a page for a person, the plain answer for everything else."""

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from psycopg.errors import DiskFull

from deepstack.web import error_page, problem_json, store_down

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
urlpatterns = [path("admin/fails/", lambda request: 1 // 0)]


def asked(path: str, **headers: str) -> HttpRequest:
    return RequestFactory().get(path, headers=headers)


@pytest.mark.parametrize(
    ("path", "headers", "wanted"),
    [
        ("/admin/", BROWSER, True),
        ("/admin/", {}, False),
        ("/admin/operations/live/", BROWSER | {"HX-Request": "true"}, False),
        ("/api/v1/orders/", BROWSER, False),
        ("/healthz", BROWSER, False),
    ],
)
def test_a_page_is_for_a_browser_in_the_back_office(
    path: str, headers: dict[str, str], wanted: bool
) -> None:
    assert error_page.is_wanted(asked(path, **headers)) is wanted


def test_a_database_that_is_away_is_a_page_that_says_what_is_unknown() -> None:
    away = OperationalError("connection refused")
    answer = store_down.answer(asked("/admin/", **BROWSER), away)
    assert answer is not None
    words = answer.content.decode()
    assert answer.status_code == 503
    assert answer["Content-Type"].startswith("text/html")
    assert "Database: does not answer" in words
    assert "look before you do it again" in words
    assert answer["Retry-After"]


def test_what_the_database_says_of_itself_is_told() -> None:
    full = OperationalError("could not extend file")
    full.__cause__ = DiskFull("could not extend file")
    answer = store_down.answer(asked("/api/v1/orders/"), full)
    assert answer is not None
    assert "database: its disk is full. Whether this request changed" in answer.content.decode()


def test_a_refused_request_is_a_page_without_what_was_typed_as_markup() -> None:
    answer = problem_json.refused(asked("/admin/", **BROWSER), 413, "too long: <script>")
    assert answer.status_code == 413
    assert "&lt;script&gt;" in answer.content.decode()
    plain = problem_json.refused(asked("/admin/"), 413, "too long")
    assert (plain.content, plain["Content-Type"]) == (b"too long", "text/plain; charset=utf-8")


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_each_error_of_django_has_words_of_ours(status: int) -> None:
    page = render_to_string(f"{status}.html")
    assert f">{status}<" in page
    assert 'href="/admin/"' in page


@override_settings(ROOT_URLCONF=__name__, DEBUG=False)
def test_a_failure_shows_no_traceback() -> None:
    client = Client(raise_request_exception=False)
    answer = client.get("/admin/fails/", headers=BROWSER)
    assert answer.status_code == 500
    assert "Whether this request changed anything is unknown" in answer.content.decode()
    assert "ZeroDivisionError" not in answer.content.decode()
