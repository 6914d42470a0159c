"""Error answers of the API: `application/problem+json` (RFC 9457), never a page.

`type` is always about:blank, so `title` is the phrase of the status; `code` names what a program
may want to tell apart, `errors` has the sentences about each wrong field.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DataError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.common import CommonMiddleware

from deepstack.web import error_page
from deepstack.web.login_throttle import TooManyFailures

CONTENT_TYPE = "application/problem+json"
MOST_FIELDS = 20
MOST_NAME = 80  # characters of a field's name
MOST_TEXT = 600  # characters of a sentence
MOST_SENTENCES = 5  # about one field

_API, _ADMIN = "/api/", "/admin/"
DETAILS = {
    400: "the request cannot be read",
    403: "refused: the session's CSRF token is missing or wrong; a program sends its API token",
    404: "there is no such address; every address of the API ends in a slash",
    405: "this address does not know the method",
    500: "something failed here and was logged; whether this request changed anything is unknown:"
    " read before you send it again, an order with the same Idempotency-Key",
}


def body(
    status: int,
    detail: str,
    *,
    errors: Mapping[str, Sequence[str]] | None = None,
    left_out: int = 0,
    **more: str,
) -> dict[str, Any]:
    """The members of a problem; of more than 20 wrong fields the first 20 and how many are left."""
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": cut(detail, MOST_TEXT),
        **more,
    }
    if errors is not None:
        first = list(errors.items())[:MOST_FIELDS]
        found["errors"] = {
            cut(name, MOST_NAME): [cut(text, MOST_TEXT) for text in texts[:MOST_SENTENCES]]
            for name, texts in first
        }
        if left := left_out + len(errors) - len(first):
            found["errors_left_out"] = left
    return found


def answer(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: str
) -> JsonResponse:
    return JsonResponse(
        body(status, detail, errors=None, left_out=0, **more),
        status=status,
        content_type=CONTENT_TYPE,
        headers=headers,
    )


def as_bytes(status: int, detail: str, **more: str) -> bytes:
    return json.dumps(body(status, detail, errors=None, left_out=0, **more)).encode()


def cut(text: str, most: int) -> str:
    """Short, and without the halves of characters and the controls that no client can read."""
    plain = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[:most]}..."


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(_API)


class ProblemMiddleware:
    """Below /api/ every error is a problem, whoever answered: Django, a middleware or a view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = unreadable(request) or self.get_response(request)
        if is_api(request) and response.status_code >= 400 and _is_page(response):
            detail = DETAILS.get(response.status_code, response.reason_phrase)
            plain = answer(response.status_code, detail)
            response.content = plain.content
            response["Content-Type"] = CONTENT_TYPE
            response["Content-Length"] = str(len(plain.content))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """What PostgreSQL cannot hold or compare is a fault of the request."""
        if isinstance(error, DataError):
            return refused(request, 400, "a value is beyond what can be stored or compared")
        if isinstance(error, TooManyFailures):
            busy = refused(request, 429, str(error))
            busy["Retry-After"] = str(error.seconds)
            return busy
        if isinstance(error, RequestDataTooBig):
            return refused(request, 413, _too_large())
        return None


class SlashMiddleware(CommonMiddleware):
    """Adds a missing slash to the address of a page. A redirected POST becomes a GET, which would
    look like success: the API answers 404 instead."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return not is_api(request) and super().should_redirect_with_slash(request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return refused(request, 403, f"{DETAILS[403]} ({reason})")


def unreadable(request: HttpRequest) -> HttpResponse | None:
    """The refusal of a request that nobody need look into; None for all others."""
    if not request.path_info.startswith((_API, _ADMIN)):
        return None
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        return refused(request, 411, "a body needs a Content-Length")
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.MOST_BODY_BYTES:
        return refused(request, 413, _too_large())
    if len(request.META.get("QUERY_STRING", "")) > settings.MOST_QUERY_BYTES:
        return refused(request, 414, f"a query has at most {settings.MOST_QUERY_BYTES:,} bytes")
    if not is_api(request) and any("\0" in text for text in _query_texts(request)):
        return refused(request, 400, "a query without NUL characters is allowed")
    return None


def refused(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    if is_api(request):
        return answer(status, detail)
    if error_page.is_wanted(request):
        return error_page.answer(status, detail)
    return HttpResponse(detail, status=status, content_type="text/plain; charset=utf-8")


def _too_large() -> str:
    return f"the body must not exceed {settings.MOST_BODY_BYTES:,} bytes"


def _query_texts(request: HttpRequest) -> list[str]:
    return [text for name, values in request.GET.lists() for text in (name, *values)]


def _is_page(response: HttpResponse) -> bool:
    return not response.streaming and "json" not in response.get("Content-Type", "")
