"""Which content policy an answer carries."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from deepstack.web.content_policy import ANSWERS, HEADER, PAGES, ContentPolicyMiddleware


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("text/html; charset=utf-8", PAGES),
        ("application/json", ANSWERS),
        ("application/problem+json", ANSWERS),
        ("text/plain", ANSWERS),
    ],
)
def test_a_page_runs_our_own_scripts_and_an_answer_none(kind: str, policy: str) -> None:
    answer = ContentPolicyMiddleware(lambda _: HttpResponse("", content_type=kind))
    assert answer(RequestFactory().get("/")).headers[HEADER] == policy


def test_no_page_may_run_a_script_that_is_written_into_it() -> None:
    scripts = next(part for part in PAGES.split("; ") if part.startswith("script-src"))
    assert "unsafe-inline" not in scripts
    assert "*" not in PAGES
