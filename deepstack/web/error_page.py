"""An error as a page, for a person who looks at the back office."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

PAGES = "/admin/"


def is_wanted(request: HttpRequest) -> bool:
    """Whether a browser asked for a page; a part of one that refreshes itself is none."""
    accepted = request.headers.get("Accept", "")
    part = "HX-Request" in request.headers
    return request.path_info.startswith(PAGES) and "text/html" in accepted and not part


def answer(status: int, detail: str) -> HttpResponse:
    """Needs neither a session nor a database."""
    shown = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    return HttpResponse(render_to_string("error.html", shown), status=status)
