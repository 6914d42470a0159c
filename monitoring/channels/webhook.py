"""An HTTP address that takes one JSON object for each alert.

The body has id, kind, severity, message, account, order_id, symbol, raised_at (trading time),
recorded_at (real time) and data; the id is also the Idempotency-Key header, so that a receiver can
drop a repetition. When an alert has ended, it comes once more with ended_at and ended_because,
under a key of its own.
"""

import json
from collections.abc import Mapping

from deepstack.config import Config
from monitoring.channels.base import ChannelRefused
from monitoring.channels.http_post import LONGEST_WORDS, TIMEOUT, post
from monitoring.models import Alert


class Webhook:
    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout

    def send(self, alert: Alert) -> None:
        content = json.dumps(body(alert)).encode()
        key = {"Idempotency-Key": _key(alert)}
        status, answer = post(self._url, content, key, timeout=self._timeout)
        if problem := _failure_in(answer):
            raise ChannelRefused(f"HTTP {status}, but the answer says: {problem}")


def body(alert: Alert) -> Mapping[str, object]:
    body: dict[str, object] = {
        "id": alert.pk,
        "kind": alert.kind,
        "severity": alert.severity,
        "message": alert.text,
        "account": alert.account,
        "order_id": alert.order_id,
        "symbol": alert.order.symbol if alert.order else None,
        "raised_at": alert.raised_at.isoformat(),
        "recorded_at": alert.raised_at_real.isoformat(),
        "data": alert.data,
    }
    if alert.event == "ENDED" and alert.ended_at:
        body |= {"ended_at": alert.ended_at.isoformat(), "ended_because": alert.ended_because}
    return body


def _key(alert: Alert) -> str:
    """Each event of an alert has a key of its own; so has each test."""
    name = f"alert-{alert.pk}" if alert.pk else f"alert-test-{alert.raised_at_real:%Y%m%d%H%M%S%f}"
    return name if alert.event == "RAISED" else f"{name}-{alert.event.lower()}"


def from_config(config: Config) -> Webhook | None:
    return Webhook(config.alert_webhook_url) if config.alert_webhook_url else None


def _failure_in(content: bytes) -> str:
    """The failure that a 2xx answer has in its body, as some chat services do; empty: none.

    Slack: `{"ok": false, "error": ...}`; Teams: a text that begins with "Webhook message delivery
    failed".
    """
    text = content.decode(errors="replace").strip()
    if text.lower().startswith("webhook message delivery failed"):
        return text[:LONGEST_WORDS]
    try:
        answer = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    failed = (
        answer.get("error")
        or answer.get("errors")
        or False in (answer.get("ok"), answer.get("success"))
    )
    return text[:LONGEST_WORDS] if failed else ""
