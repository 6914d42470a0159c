"""Passwords, sessions and tokens travel encrypted, or do not leave this machine."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from deepstack.web import problem_json

# Asked by machines inside a network of containers; they tell neither orders nor people.
OPEN = ("/healthz", "/readyz", "/metrics")


class EncryptedOnlyMiddleware:
    """Where `HTTPS` is not set, a page or an answer is given under a name of the loopback only: a
    browser that came by another name has crossed a network in plain text."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.CONFIG.https or request.path_info in OPEN or _on_loopback(request):
            return self.get_response(request)
        return problem_json.refused(
            request,
            403,
            f"http://{request.get_host()} is not encrypted. Put a proxy that speaks TLS before the"
            " service and set HTTPS=true, or come by http://localhost from this machine (from"
            " another, through an SSH tunnel)",
        )


def _on_loopback(request: HttpRequest) -> bool:
    host, _, port = request.get_host().rpartition(":")
    name = host if host and port.isdecimal() else request.get_host()
    return name in settings.PLAIN_HTTP_NAMES
