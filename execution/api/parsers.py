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

MOST_SIGNAL_BYTES = 16 * 1024  # of one object; a signal with every field has about one kB
MOST_LIST_BYTES = 4 * 1024 * 1024  # of a list of orders
MOST_DIGITS = 4_000  # of an integer: Python makes none of more than 4,300


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self, most: int, what: str) -> None:
        super().__init__(f"{what} must not exceed {most:,} bytes")


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
        try:
            text = self.read(stream)
            return json.loads(
                text, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_integer
            )
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from None

    def read(self, stream: IO[Any]) -> bytes:
        text: bytes = stream.read(MOST_SIGNAL_BYTES + 1)
        if len(text) > MOST_SIGNAL_BYTES:
            raise TooLarge(MOST_SIGNAL_BYTES, "the body")
        return text


class BoundedList(BoundedJSON):
    """One object, or a list of them, which may be longer."""

    @override
    def read(self, stream: IO[Any]) -> bytes:
        text: bytes = stream.read(MOST_LIST_BYTES + 1)
        if len(text) > MOST_LIST_BYTES:
            raise TooLarge(MOST_LIST_BYTES, "a list of orders")
        if len(text) > MOST_SIGNAL_BYTES and text.lstrip()[:1] != b"[":
            raise TooLarge(MOST_SIGNAL_BYTES, "one order")
        return text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that is given twice, programs disagree about which value counts."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} is given more than once in one object")
        found[key] = value
    return found


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits, at most {MOST_DIGITS:,} are read")
    return int(digits)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a number of JSON")
