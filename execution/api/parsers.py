"""What is read of a request's body: JSON, within bounds and without a second meaning."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from typing_extensions import override

from execution.domain.reading import shown

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
            return json.loads(stream.read(), object_pairs_hook=_once, parse_constant=_no_number)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that is given twice, programs disagree about which value counts."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} is given more than once in one object")
        found[key] = value
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a number of JSON")
