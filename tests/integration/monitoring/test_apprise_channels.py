"""Alerts through Apprise, with Slack's webhook and an SMTP server at the other end."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from apprise.plugins.slack import NotifySlack

from deepstack.config import Config
from deepstack.config_alerts import Alerts
from monitoring.alerting import alerts, deliveries
from monitoring.alerting.rules import AlertKind, AlertSeverity, Finding
from monitoring.channels import configured
from monitoring.models import Alert, AlertDelivery, ChannelHealth
from tests.integration.monitoring.mail_receiver import MailReceiver, receiving_mail
from tests.integration.monitoring.receiver import Receiver, receiving
from tests.integration.monitoring.rows import CONFIG, NOON, NOW

pytestmark = pytest.mark.django_db

TOKEN = "Zq4w8PnTrX2mKf9cVb1LhYs7"
SLACK = f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}/#desk?blocks=no"


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as server:
        base = server.url.removesuffix("/alerts")
        server.says = b"ok"  # Slack's whole answer; anything else is a failure
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{base}/services")
        yield server


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    with receiving_mail() as server:
        yield server


def with_channel(url: str, **rule: object) -> Config:
    found = Alerts.model_validate({"channels": {"desk": {"url": url, **rule}}})
    return CONFIG.model_copy(update={"alerts": found})


def raise_alerts(config: Config, n: int = 1, **changes: Any) -> list[Alert]:
    findings = [
        Finding(
            **{
                "kind": AlertKind.SLIPPAGE,
                "severity": AlertSeverity.WARNING,
                "message": f"order {number} is too dear",
                "key": f"k{number}",
                "account": "main",
                **changes,
            }
        )
        for number in range(n)
    ]
    return list(alerts.raise_all(findings, moment=NOW, config=config))


def deliver(config: Config, *, seconds: float = 0) -> int:
    return deliveries.deliver_due(
        real_now=lambda: NOON + timedelta(seconds=seconds),
        channels={"desk": configured(config)["desk"]},
    )


def states() -> list[str]:
    return sorted(AlertDelivery.objects.filter(channel="desk").values_list("state", flat=True))


def test_slack_gets_the_alert_as_its_webhook_expects_it(slack: Receiver) -> None:
    config = with_channel(SLACK)
    raise_alerts(config)
    assert deliver(config) == 1
    ((_, body),) = slack.got
    assert body["channel"] == "#desk"
    (attachment,) = body["attachments"]
    assert attachment["title"] == "WARNING SLIPPAGE"
    assert "order 0 is too dear" in attachment["text"]


def test_an_e_mail_arrives(mail: MailReceiver) -> None:
    config = with_channel(mail.url)
    raise_alerts(config)
    assert deliver(config) == 1
    (message,) = mail.got
    assert message["Subject"] == "WARNING SLIPPAGE"
    body = message.get_body(("plain", "html"))
    assert body is not None
    assert "order 0 is too dear" in body.get_content()


@pytest.mark.parametrize("status", [301, 302, 307])
def test_nothing_follows_a_redirect(status: int) -> None:
    with receiving() as first, receiving() as other:
        first.answers = [(status, {"Location": other.url})]
        config = with_channel(f"{first.url.replace('http:', 'json:')}?+X-Key=SECRET")
        raise_alerts(config)
        assert (deliver(config), states()) == (0, ["REFUSED"])
        assert (len(first.got), other.got) == (1, [])
    assert ChannelHealth.objects.get(channel="desk").problem.endswith(
        "give the address it leads to"
    )


def test_fifty_alerts_alike_are_one_message(slack: Receiver) -> None:
    config = with_channel(SLACK)
    raise_alerts(config, 50)
    assert deliver(config) == 50
    ((_, body),) = slack.got
    (attachment,) = body["attachments"]
    assert attachment["title"] == "50 alerts: SLIPPAGE"
    assert "and 40 more" in attachment["text"]
    assert states() == ["SENT"] * 50


def test_fifty_alerts_one_after_the_other_are_six_messages(slack: Receiver) -> None:
    config = with_channel(SLACK)
    for second in range(50):
        raise_alerts(config, key=f"k{second}")
        deliver(config, seconds=second)
    assert [title(body) for _, body in slack.got] == ["WARNING SLIPPAGE"] * 5
    raise_alerts(config, key="worse", severity=AlertSeverity.CRITICAL)
    raise_alerts(config, key="another", kind=AlertKind.PAUSED)
    assert deliver(config, seconds=50) == 2
    assert [title(body) for _, body in slack.got[5:]] == ["CRITICAL SLIPPAGE", "WARNING PAUSED"]
    assert deliver(config, seconds=59) == 0
    assert deliver(config, seconds=60) == 45
    assert title(slack.got[-1][1]) == "45 alerts: SLIPPAGE"
    assert states() == ["SENT"] * 52


def title(body: Any) -> str:
    (attachment,) = body["attachments"]
    return str(attachment["title"])


@pytest.mark.parametrize(
    ("status", "state", "refused"), [(403, "REFUSED", True), (503, "PENDING", False)]
)
def test_a_failing_channel_says_why_without_its_address(
    slack: Receiver, status: int, state: str, refused: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = with_channel(SLACK)
    slack.answers = [(status, {})]
    raise_alerts(config)
    assert deliver(config) == 0
    health = ChannelHealth.objects.get(channel="desk")
    assert (states(), health.refused) == ([state], refused)
    assert health.problem == f"Slack answered HTTP {status}"
    assert TOKEN not in caplog.text + repr(config) + repr(vars(configured(config)["desk"]))


def test_what_was_refused_is_sent_once_the_channel_is_mended(slack: Receiver) -> None:
    config = with_channel(SLACK)
    slack.answers = [(403, {})]
    raise_alerts(config)
    deliver(config)
    assert states() == ["REFUSED"]
    raise_alerts(config, key="another")
    deliver(config, seconds=60)
    deliver(config, seconds=61)
    assert states() == ["SENT", "SENT"]


def test_a_message_that_is_always_refused_does_not_come_back_for_ever(slack: Receiver) -> None:
    config = with_channel(SLACK)
    raise_alerts(config)
    for turn in range(20):
        slack.answers = [(403, {})]
        deliver(config, seconds=turn * 10)
        raise_alerts(config, key=f"other {turn}")
        deliver(config, seconds=turn * 10 + 5)
    first = AlertDelivery.objects.filter(channel="desk").earliest("pk")
    assert first.attempts <= deliveries.REFUSED_TRIES


def test_a_dead_channel_is_an_alert_on_the_others_only() -> None:
    config = with_channel(SLACK)
    (alert,) = raise_alerts(
        config, kind=AlertKind.DELIVERY_FAILED, data={"channel": "desk"}, account=""
    )
    assert set(alert.deliveries.values_list("channel", flat=True)) == {"log"}
