"""A channel that does not take alerts is told of everywhere else."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from math import inf
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from deepstack.config import Config
from monitoring import readiness
from monitoring.alerting import alerts, deliveries, surveillance
from monitoring.alerting.rules import AlertKind, AlertSeverity, Finding
from monitoring.channels import channel_health, configured, http_post, webhook
from monitoring.channels.base import ChannelRefused, ChannelUnavailable
from monitoring.channels.webhook import Webhook
from monitoring.management.commands import test_alert
from monitoring.models import Alert, ChannelHealth
from tests.integration.monitoring.receiver import Receiver, receiving
from tests.integration.monitoring.rows import CONFIG, LIMITS, NOON, NOW, after, replay, working

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def config_for(receiver: Receiver) -> Config:
    return CONFIG.model_copy(update={"alert_webhook_url": receiver.url})


def raised(config: Config) -> Alert:
    finding = Finding(
        kind=AlertKind.SLIPPAGE,
        severity=AlertSeverity.WARNING,
        message="too dear",
        key="k",
        order_id=working().pk,
    )
    (alert,) = alerts.raise_all([finding], moment=NOW, config=config)
    return alert


def deliver(config: Config) -> None:
    deliveries.deliver_due(real_now=lambda: NOON, channels=configured(config))


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410])
def test_a_refusal_is_in_the_alerts_in_readiness_and_on_the_page(
    receiver: Receiver, status: int, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_for(receiver)
    receiver.answers = [(status, {})]
    alert = raised(config)
    deliver(config)
    assert ("ERROR", "alert not delivered") in [
        (record.levelname, record.msg["event"] if isinstance(record.msg, dict) else record.msg)
        for record in caplog.records
    ]
    said = readiness.alert_channels(config)
    assert said["ok"]
    assert "webhook refuses alerts since 2026-03-02 11:00:00 ET" in str(said["reason"])
    assert receiver.url not in str(said)
    page = admin_client.get(f"/admin/monitoring/alert/{alert.pk}/change/").content.decode()
    assert f"HTTP {status}" in page
    surveillance.evaluate(moment=NOW, config=config, limits=LIMITS, market=replay())
    told = Alert.objects.get(kind="DELIVERY_FAILED")
    assert f"HTTP {status}" in told.message
    assert list(told.deliveries.values_list("channel", flat=True)) == ["log"]


def test_a_channel_that_is_away_is_told_after_a_minute_and_ends_with_the_next_sent(
    receiver: Receiver,
) -> None:
    config = config_for(receiver)
    receiver.answers = [(503, {})]
    raised(config)
    deliver(config)

    def found(seconds: int) -> list[bool]:
        moment = after(NOW, seconds=seconds)
        surveillance.evaluate(moment=moment, config=config, limits=LIMITS, market=replay())
        failed = Alert.objects.filter(kind="DELIVERY_FAILED")
        return [each.ended_at_real is None for each in failed]

    assert found(59) == []
    assert found(61) == [True]
    later = NOON + timedelta(minutes=2)
    deliveries.deliver_due(real_now=lambda: later, channels=configured(config))
    assert ChannelHealth.objects.get(channel="webhook").failing_since_real is None
    assert found(130) == [False]
    assert readiness.alert_channels(config) == {"ok": True}


def test_a_test_alert_says_what_came_of_each_channel(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_alert, "current", lambda: config_for(receiver))
    out = StringIO()
    call_command("test_alert", stdout=out)
    assert out.getvalue().splitlines() == ["log: sent", "webhook: sent"]
    ((headers, body),) = receiver.got
    assert (body["kind"], body["order_id"]) == ("TEST", None)
    assert headers["Idempotency-Key"].startswith("alert-test-")
    assert not Alert.objects.exists()


def test_a_test_alert_that_fails_exits_with_1_and_a_good_one_heals_the_channel(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_alert, "current", lambda: config_for(receiver))
    receiver.answers = [(403, {})]
    out = StringIO()
    with pytest.raises(CommandError, match="1 of the channels did not take") as failed:
        call_command("test_alert", stdout=out)
    assert failed.value.returncode == 1
    assert "webhook: FAILED, HTTP 403 Forbidden" in out.getvalue()
    assert ChannelHealth.objects.get(channel="webhook").refused
    call_command("test_alert", "--channel", "webhook", stdout=out)
    assert not ChannelHealth.objects.get(channel="webhook").refused
    with pytest.raises(CommandError, match="set up are log, webhook"):
        call_command("test_alert", "--channel", "pager")


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"", False),
        (b"ok", False),
        (b'{"id": "1"}', False),
        (b'{"ok": true, "error": null}', False),
        (b'{"status": "success"}', False),
        (b'{"ok": false, "error": "channel_not_found"}', True),
        (b'{"errors": ["bad key"]}', True),
        (b'{"success": false}', True),
        (b"Webhook message delivery failed with error: 429", True),
        (b"[1, 2]", False),
        (b"\xff", False),
    ],
)
def test_an_answer_of_200_may_tell_a_failure(answer: bytes, failed: bool) -> None:
    assert bool(webhook._failure_in(answer)) == failed


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("9" * 400, inf),
        ("soon", None),
        ("-5", None),
        ("Mon, 02 Mar 2020 16:00:00 GMT", 0.0),
        ("Mon, 02 Mar 99999999999999999999 16:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert http_post._seconds(value) == seconds


@pytest.mark.parametrize("asked", [1e300, inf])
def test_a_channel_that_asks_for_ages_is_tried_again_after_an_hour(asked: float) -> None:
    second = timedelta(seconds=1)
    pause = channel_health.pause(1, first=second, longest=second, retry_after=asked)
    assert pause == timedelta(hours=1)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/", "https://127.0.0.1:9/"])
def test_an_address_that_cannot_be_reached_is_tried_again(url: str) -> None:
    with pytest.raises(ChannelUnavailable):
        Webhook(url).send(raised(CONFIG))


def test_a_plain_server_behind_https_is_unavailable(receiver: Receiver) -> None:
    with pytest.raises(ChannelUnavailable, match="SSL"):
        Webhook(receiver.url.replace("http:", "https:")).send(raised(CONFIG))


def test_a_redirect_names_what_to_do(receiver: Receiver) -> None:
    receiver.answers = [(308, {"Location": receiver.url})]
    with pytest.raises(ChannelRefused, match="give the address it leads to"):
        Webhook(receiver.url).send(raised(CONFIG))


def test_the_readiness_page_stays_ready(receiver: Receiver, client: Client) -> None:
    ChannelHealth.objects.create(channel="log", failing_since_real=NOON, refused=True, failures=1)
    body: dict[str, Any] = json.loads(client.get("/readyz").content)
    assert body["parts"].get("alerts", {"ok": True})["ok"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/SECRET", "http://[::1/SECRET"])
def test_a_failure_does_not_tell_the_address(url: str) -> None:
    with pytest.raises(ChannelUnavailable) as failed:
        Webhook(url).send(raised(CONFIG))
    assert "SECRET" not in str(failed.value)
