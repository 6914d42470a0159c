"""Slack, Telegram, Teams, PagerDuty, Opsgenie, e-mail and the rest that Apprise knows: one address
each. What alerts have in common is said once for many of a kind.
"""

import re
from collections.abc import Sequence
from io import StringIO
from logging import WARNING
from pathlib import Path

from pydantic import SecretStr

from monitoring.alerting.rules import AlertSeverity
from monitoring.channels.base import REDIRECTED, ChannelRefused, ChannelUnavailable
from monitoring.models import Alert

SHOWN = 10  # alerts of a digest
LONGEST = 3_000  # characters
# Request Timeout, Too Early, Too Many Requests; and every 5xx.
TEMPORARY = {408, 425, 429}
_STATUS = re.compile(r"error\s*[=:]\s*(\d{3})\b")
_COLOURS = {
    AlertSeverity.INFO: "info",
    AlertSeverity.WARNING: "warning",
    AlertSeverity.CRITICAL: "failure",
}


class AppriseUrl:
    def __init__(self, url: SecretStr) -> None:
        self._url = url

    def send(self, alert: Alert) -> None:
        self._notify(title_of([alert]), alert.text, _colour(alert))

    def send_digest(self, alerts: Sequence[Alert]) -> None:
        """One message for many alerts of a kind; raises as `send`."""
        worst = max(alerts, key=lambda each: AlertSeverity(each.severity).rank)
        self._notify(title_of(alerts), digest(alerts), _colour(worst))

    def send_report(self, title: str, text: str, file: Path) -> None:
        """Services that take no files get the text alone; raises as `send`."""
        self._notify(title, text, "info", file)

    def _notify(self, title: str, text: str, colour: str, file: Path | None = None) -> None:
        # Takes a second to import, and only who sends needs it.
        from apprise import Apprise, AppriseAsset
        from apprise.logger import LogCapture

        # A redirected POST may arrive as a GET without its body, or at somebody else's with it.
        asset = AppriseAsset(http_redirects=False)
        target = Apprise.instantiate(
            self._url.get_secret_value(), asset=asset, suppress_exceptions=True
        )
        if target is None:
            raise ChannelRefused("the address is none that Apprise knows")
        words = StringIO()
        capture = LogCapture(level=WARNING, name="apprise")  # type: ignore[no-untyped-call]
        with capture as captured:
            taken = target.notify(
                body=text, title=title, notify_type=colour, attach=str(file) if file else None
            )
            words.write(captured.getvalue())
        if not taken:
            raise failure(target.service_name, words.getvalue())


def failure(service: object, log: str) -> ChannelRefused | ChannelUnavailable:
    """What Apprise logged about a failed try, without its words: they may hold the address."""
    found = _STATUS.search(log)
    if found is None:
        return ChannelUnavailable(f"{service} did not take it")
    status = int(found[1])
    text = f"{service} answered HTTP {status}"
    if 300 <= status < 400:
        return ChannelRefused(f"{text}: {REDIRECTED}")
    if 400 <= status < 500 and status not in TEMPORARY:
        return ChannelRefused(text)
    return ChannelUnavailable(text)


def title_of(alerts: Sequence[Alert]) -> str:
    first = alerts[0]
    if len(alerts) > 1:
        return f"{len(alerts)} alerts: {first.kind}"
    ended = "ended: " if first.event == "ENDED" else ""
    return f"{ended}{first.severity} {first.kind}"


def digest(alerts: Sequence[Alert]) -> str:
    """The first of them, how many are left, and where the rest is."""
    lines = [f"{each.severity} {each.text}" for each in alerts[:SHOWN]]
    if left := len(alerts) - SHOWN:
        lines += [f"... and {left} more: /admin/monitoring/alert/"] if left > 0 else []
    text = "\n".join(lines)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _colour(alert: Alert) -> str:
    return "success" if alert.event == "ENDED" else _COLOURS[AlertSeverity(alert.severity)]
