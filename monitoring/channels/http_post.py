"""One POST of JSON to an address of somebody else, and what its answer means."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from ssl import create_default_context
from typing import Any

import requests
from django.utils import timezone
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.exceptions import HTTPError

from monitoring.channels.base import REDIRECTED, ChannelRefused, ChannelUnavailable

TIMEOUT = 5.0  # seconds, for the connection and for the answer
LONGEST_ANSWER = 10_000  # bytes that are read of it
LONGEST_WORDS = 200
AGENT = {"User-Agent": "deepstack-execution"}
# Request Timeout, Too Early, Too Many Requests; and every 5xx.
TEMPORARY = {408, 425, 429}


class _SystemTrust(HTTPAdapter):
    """Trusts the certificate authorities of this machine, too, not only those that come with
    requests: an internal receiver has a certificate of its own house."""

    @override
    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings, ssl_context=create_default_context())


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of the passwords that requests would take from ~/.netrc."""
    return request


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout: float = TIMEOUT
) -> tuple[int, bytes]:
    """The status, 200 to 299, and the beginning of the answer.

    Raises ChannelUnavailable (try again) or ChannelRefused (the set-up is wrong); neither shows
    the address, whose path is often the receiver's password.
    """
    try:
        with requests.Session() as session:
            session.mount("https://", _SystemTrust())
            with session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", **AGENT, **headers},
                auth=_no_auth,
                timeout=timeout,
                allow_redirects=False,  # a redirected POST would arrive as a GET without its body
                stream=True,
            ) as answer:
                content = _read(answer)
    except OSError as error:  # as those of requests are
        raise ChannelUnavailable(f"{type(error).__name__}: {_reason(error)}") from None
    if not 200 <= answer.status_code < 300:
        raise _failure(answer, content)
    return answer.status_code, content


def _read(answer: requests.Response) -> bytes:
    """The beginning of the answer. Of a failure the words may be missing: its status counts."""
    try:
        content: bytes = answer.raw.read(LONGEST_ANSWER, decode_content=True)
    except HTTPError as error:
        if answer.ok:
            raise requests.ConnectionError(error) from None
        return b""
    return content


def _reason(error: Exception) -> str:
    """Without the address, whose path is often the receiver's password."""
    if isinstance(error, ValueError):  # an address that is none, quoted in full
        return "the address cannot be used"
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", cause))


def _failure(answer: requests.Response, content: bytes) -> ChannelUnavailable | ChannelRefused:
    text = f"HTTP {answer.status_code} {answer.reason}"
    if 300 <= answer.status_code < 400:
        return ChannelRefused(f"{text}: {REDIRECTED}")
    words = content.decode(errors="replace").strip()
    text += f": {words[:LONGEST_WORDS]}" if words else ""
    if answer.status_code in TEMPORARY or answer.status_code >= 500:
        return ChannelUnavailable(text, retry_after=_seconds(answer.headers.get("Retry-After")))
    return ChannelRefused(text)


def _seconds(value: str | None) -> float | None:
    """Retry-After, given in seconds or as a date; what is neither is left to the backoff."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # no date, or a year that no date has
        return None
    return max((until - timezone.now()).total_seconds(), 0.0) if until.tzinfo else None
