"""Long answers of the API to reads are compressed where the client takes it."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from typing_extensions import override

SHORTEST = 1_000  # bytes; below it nothing is gained
READS = ("GET", "HEAD")


class CompressionMiddleware(GZipMiddleware):
    """Not pages, whose secrets compression may reveal to who can add text to them; nor streams,
    whose events would wait for a block to fill; nor answers to orders, which must be quick."""

    @override
    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        read = request.path.startswith("/api/") and request.method in READS
        is_json = "json" in response.get("Content-Type", "")
        if not read or not is_json or response.streaming or len(response.content) < SHORTEST:  # type: ignore[attr-defined]
            return response
        return super().process_response(request, response)
