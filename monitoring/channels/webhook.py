"""An HTTP address that takes one JSON object for each alert.

The body has id, kind, severity, message, account, order_id, symbol, raised_at (trading time),
recorded_at (real time) and data; the id is also the Idempotency-Key header, so that a receiver can
drop a repetition. When an alert has ended, it comes once more with ended_at and ended_because,
under a key of its own.
"""

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from ssl import create_default_context
from typing import Any

import requests
from django.utils import timezone
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.exceptions import HTTPError

from deepstack.config import Config
from monitoring.channels.base import ChannelRefused, ChannelUnavailable
from monitoring.models import Alert

TIMEOUT = 5.0  # seconds, for the connection and for the answer
LONGEST_ANSWER = 10_000  # bytes that are read of it
LONGEST_WORDS = 200
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


class Webhook:
    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout

    def send(self, alert: Alert) -> None:
        try:
            with requests.Session() as session:
                session.mount("https://", _SystemTrust())
                with self._post(session, alert) as answer:
                    content = _read(answer)
        except OSError as error:  # as those of requests are
            raise ChannelUnavailable(f"{type(error).__name__}: {_reason(error)}") from None
        if not 200 <= answer.status_code < 300:
            raise _failure(answer, content)
        if problem := _told_in(content):
            raise ChannelRefused(f"HTTP {answer.status_code}, but the answer says: {problem}")

    def _post(self, session: requests.Session, alert: Alert) -> requests.Response:
        return session.post(
            self._url,
            data=json.dumps(body(alert)).encode(),
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": _key(alert),
                "User-Agent": "deepstack-execution",
            },
            auth=_no_auth,
            timeout=self._timeout,
            allow_redirects=False,  # a redirected POST would arrive as a GET without its body
            stream=True,
        )


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
        "recorded_at": alert.raised_wall.isoformat(),
        "data": alert.data,
    }
    if alert.news == "ENDED" and alert.ended_at:
        told |= {"ended_at": alert.ended_at.isoformat(), "ended_because": alert.ended_because}
    return told


def _key(alert: Alert) -> str:
    """Each event of an alert has a key of its own; so has each test."""
    name = f"alert-{alert.pk}" if alert.pk else f"alert-test-{alert.raised_wall:%Y%m%d%H%M%S%f}"
    return name if alert.news == "RAISED" else f"{name}-{alert.news.lower()}"


def from_config(config: Config) -> Webhook | None:
    return Webhook(config.alert_webhook_url) if config.alert_webhook_url else None


def _failure(answer: requests.Response, content: bytes) -> ChannelUnavailable | ChannelRefused:
    text = f"HTTP {answer.status_code} {answer.reason}"
    if 300 <= answer.status_code < 400:
        return ChannelRefused(f"{text}: a redirect is not followed, give the address it leads to")
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
