"""What is read of a request's body: JSON, within bounds."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import JSONRenderer
from typing_extensions import override

MOST_BYTES = 8 * 1024 * 1024


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = f"the body must not exceed {MOST_BYTES:,} bytes"


class BoundedJSON(BaseParser):
    """Reads the stream itself: Django's own bound is meant for forms, and answers with a page."""

    media_type = "application/json"
    renderer_class = JSONRenderer

    @override
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request = (parser_context or {})["request"]
        # A body without a length is not read at all, so the length can be relied on.
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
            raise TooLarge
        try:
            return JSONParser().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
