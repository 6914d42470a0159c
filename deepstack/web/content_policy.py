"""What a browser may load, run and keep of what the web process answers, and who may frame it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

HEADER = "Content-Security-Policy"
# Alpine, which moves the pages of unfold, evaluates expressions; unfold and Swagger set styles in
# place. No script is written into a page.
PAGES = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self' data:; connect-src 'self'; manifest-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# An answer to a program is no page: nothing in it is loaded, whatever a symbol or reason holds.
ANSWERS = "default-src 'none'; frame-ancestors 'none'"


class ContentPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        kind = response.headers.get("Content-Type", "")
        response.headers.setdefault(HEADER, PAGES if kind.startswith("text/html") else ANSWERS)
        # Static files say themselves how long they are kept; whatever else it is tells of accounts.
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()"
        )
        return response
