"""What the web process of the own stack answers."""

import json
from contextlib import suppress
from urllib.error import HTTPError, URLError
from urllib.request import urlopen


def status(url: str) -> int:
    """The HTTP status of a GET; 0 when nobody answers."""
    return _get(url)[0]


def parts(url: str) -> dict[str, dict[str, object]]:
    """What /readyz says, ready or not; empty when it does not answer."""
    with suppress(ValueError, KeyError):
        parts: dict[str, dict[str, object]] = json.loads(_get(url)[1])["parts"]
        return parts
    return {}


def _get(url: str) -> tuple[int, bytes]:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310  our own http address
            return int(answer.status), answer.read()
    except HTTPError as error:
        return error.code, error.read()
    except (URLError, OSError):
        return 0, b""
