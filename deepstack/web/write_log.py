"""Each request that may change something is one line of the log: who, from where, what, outcome."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from deepstack.web.login_throttle import address

log = structlog.get_logger(__name__)

_READING = ("GET", "HEAD", "OPTIONS", "TRACE")
LONGEST = 200  # characters of a path


class WriteLogMiddleware:
    """No query, header or body is written down: they may hold a secret."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method not in _READING and request.path_info.startswith(("/api/", "/admin/")):
            log.info(
                "write",
                user=_name(request),
                address=address(request.META),
                method=request.method,
                path=request.path[:LONGEST],
                status=response.status_code,
            )
        return response


def _name(request: HttpRequest) -> str:
    """Of the user that somebody has looked up; nobody is asked for it now."""
    user = getattr(request, "user", None)
    known = hasattr(request, "_cached_user") or not isinstance(user, SimpleLazyObject)
    return user.get_username() if user is not None and known else ""
