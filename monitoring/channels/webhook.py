"""An HTTP address that takes one JSON object for each alert.

The body has id, kind, severity, message, account, order_id, symbol, raised_at, raised_wall and
data; the id is also the Idempotency-Key header, so that a receiver can drop a repetition.
"""

import json
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from deepstack.config import Config
from monitoring.channels.base import ChannelRefused, ChannelUnavailable
from monitoring.models import Alert

TIMEOUT = 5.0  # seconds, for the connection and for the answer
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
                "Idempotency-Key": f"alert-{alert.pk}",
                "User-Agent": "deepstack-execution",
            },
            method="POST",
        )
        try:
            with self._opener.open(request, timeout=self._timeout):
                pass
        except HTTPError as error:
            with error:
                raise _failure(error) from None
        except (URLError, OSError, HTTPException) as error:
            raise ChannelUnavailable(f"{type(error).__name__}: {error}") from None


def body(alert: Alert) -> Mapping[str, object]:
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "severity": alert.severity,
        "message": alert.message,
        "account": alert.account,
        "order_id": alert.order_id,
        "symbol": alert.order.symbol if alert.order else None,
        "raised_at": alert.raised_at.isoformat(),
        "raised_wall": alert.raised_wall.isoformat(),
        "data": alert.data,
    }


def from_config(config: Config) -> Webhook | None:
    return Webhook(config.alert_webhook_url) if config.alert_webhook_url else None


def _failure(error: HTTPError) -> ChannelUnavailable | ChannelRefused:
    text = f"HTTP {error.code} {error.reason}"
    if error.code in TEMPORARY or error.code >= 500:
        return ChannelUnavailable(text, retry_after=_seconds(error.headers.get("Retry-After")))
    return ChannelRefused(text)


def _seconds(value: str | None) -> float | None:
    """Retry-After in seconds; its form as a date is left to the ordinary backoff."""
    return float(value) if value and value.isdigit() else None
