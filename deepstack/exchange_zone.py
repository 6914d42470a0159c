"""The back office shows and reads times as the exchange does."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

ZONE = "America/New_York"
PAGES = "/admin/"


class ExchangeZoneMiddleware:
    """On the pages for people times are the exchange's; rows and the API stay in UTC. A time that
    comes twice or never, when the clocks change, is refused where it is typed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(PAGES):
            return self.get_response(request)
        with timezone.override(ZONE):
            return self.get_response(request)
