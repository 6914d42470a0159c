"""An HTTP address that takes one JSON object for each alert.

The body has id, kind, severity, message, account, order_id, symbol, raised_at, raised_wall and
data; the id is also the Idempotency-Key header, so that a receiver can drop a repetition. When
an alert has ended, it comes once more with ended_at and ended_because, under a key of its own.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from django.utils import timezone

from deepstack.config import Config
from monitoring.channels.base import ChannelRefused, ChannelUnavailable
from monitoring.models import Alert

TIMEOUT = 5.0  # seconds, for the connection and for the answer
LONGEST_ANSWER = 10_000  # bytes that are read of it
LONGEST_WORDS = 200
# Request Timeout, Too Early, Too Many Requests; and every 5xx.
TEMPORARY = {408, 425, 429}


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would silently arrive as a GET without its body."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Webhook:
    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._opener = build_opener(_NoRedirect)

    def send(self, alert: Alert) -> None:
        request = Request(  # noqa: S310  the configuration allows http and https only
            self._url,
            data=json.dumps(body(alert)).encode(),
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": _key(alert),
                "User-Agent": "deepstack-execution",
            },
            method="POST",
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                problem = _told_in(answer.read(LONGEST_ANSWER))
        except HTTPError as error:
            with error:
                raise _failure(error) from None
        except (URLError, OSError, HTTPException) as error:
            raise ChannelUnavailable(f"{type(error).__name__}: {error}") from None
        if problem:
            raise ChannelRefused(f"HTTP {answer.status}, but the answer says: {problem}")


def body(alert: Alert) -> Mapping[str, object]:
    told: dict[str, object] = {
        "id": alert.pk,
        "kind": alert.kind,
        "severity": alert.severity,
        "message": alert.told,
        "account": alert.account,
        "order_id": alert.order_id,
        "symbol": alert.order.symbol if alert.order else None,
        "raised_at": alert.raised_at.isoformat(),
        "raised_wall": alert.raised_wall.isoformat(),
        "data": alert.data,
    }
    if alert.news == "ENDED" and alert.ended_at:
        told |= {"ended_at": alert.ended_at.isoformat(), "ended_because": alert.ended_because}
    return told


def _key(alert: Alert) -> str:
    """Each piece of news about an alert has a key of its own; a test is news each time."""
    name = f"alert-{alert.pk}" if alert.pk else f"alert-test-{alert.raised_wall:%Y%m%d%H%M%S%f}"
    return name if alert.news == "RAISED" else f"{name}-{alert.news.lower()}"


def from_config(config: Config) -> Webhook | None:
    return Webhook(config.alert_webhook_url) if config.alert_webhook_url else None


def _failure(error: HTTPError) -> ChannelUnavailable | ChannelRefused:
    text = f"HTTP {error.code} {error.reason}"
    if 300 <= error.code < 400:
        return ChannelRefused(f"{text}: a redirect is not followed, give the address it leads to")
    with suppress(OSError, HTTPException):
        words = error.read(LONGEST_ANSWER).decode(errors="replace").strip()
        text += f": {words[:LONGEST_WORDS]}" if words else ""
    if error.code in TEMPORARY or error.code >= 500:
        return ChannelUnavailable(text, retry_after=_seconds(error.headers.get("Retry-After")))
    return ChannelRefused(text)


def _seconds(value: str | None) -> float | None:
    """Retry-After, given in seconds or as a date; what is neither is left to the backoff."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((until - timezone.now()).total_seconds(), 0.0) if until.tzinfo else None


def _told_in(content: bytes) -> str:
    """The failure that a 2xx answer tells in its body, as some chat services do; empty: none.

    Slack: `{"ok": false, "error": ...}`; Teams: a text that begins with "Webhook message delivery
    failed".
    """
    text = content.decode(errors="replace").strip()
    if text.lower().startswith("webhook message delivery failed"):
        return text[:LONGEST_WORDS]
    try:
        told = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    failed = (
        told.get("error") or told.get("errors") or False in (told.get("ok"), told.get("success"))
    )
    return text[:LONGEST_WORDS] if failed else ""
