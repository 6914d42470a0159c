"""Alerts on their way out, with a real HTTP server at the other end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from itertools import count
from threading import Event, Thread
from typing import ClassVar

import pytest
from django.core.management import call_command
from django.db import connection

from deepstack.config import Config
from deepstack.database.advisory_locks import DELIVERING, alone
from monitoring.alerting import alerts, deliveries
from monitoring.alerting.rules import AlertKind, AlertSeverity, Finding
from monitoring.channels import CHANNELS, configured, deadline
from monitoring.channels.base import Channel, ChannelRefused, ChannelUnavailable
from monitoring.channels.log import LogChannel
from monitoring.channels.webhook import Webhook
from monitoring.models import Alert, AlertDelivery
from tests.integration.monitoring.receiver import Receiver, receiving
from tests.integration.monitoring.rows import CONFIG, NOON, NOW, working
from tests.stack import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def raise_alert(key: str = "k", *, url: str = "http://127.0.0.1:9/") -> Alert:
    finding = Finding(
        kind=AlertKind.SLIPPAGE,
        severity=AlertSeverity.WARNING,
        message="too dear",
        key=key,
        account="main",
        order_id=working().pk,
        data={"slippage_bps": "25.0"},
    )
    config = CONFIG.model_copy(update={"alert_webhook_url": url})
    (alert,) = alerts.raise_all([finding], moment=NOW, config=config)
    return alert


def deliver(channel: Channel | None, *, seconds: float = 0, name: str = "webhook") -> int:
    def real_now() -> datetime:
        return NOON + timedelta(seconds=seconds)

    channels = {"log": LogChannel(), **({name: channel} if channel else {})}
    return deliveries.deliver_due(real_now=real_now, channels=channels)


def state_of(alert: Alert, channel: str = "webhook") -> tuple[str, int]:
    delivery = alert.deliveries.get(channel=channel)
    return delivery.state, delivery.attempts


def test_every_configured_channel_gets_a_new_alert_once(receiver: Receiver) -> None:
    alert = raise_alert(url=receiver.url)
    raise_alert(url=receiver.url)
    assert deliver(Webhook(receiver.url)) == 2
    assert deliver(Webhook(receiver.url), seconds=600) == 0
    ((headers, body),) = receiver.got
    assert headers["Idempotency-Key"] == f"alert-{alert.pk}"
    assert headers["Content-Type"] == "application/json"
    assert body == {
        "id": alert.pk,
        "kind": "SLIPPAGE",
        "severity": "WARNING",
        "message": alert.message,
        "account": "main",
        "order_id": alert.order_id,
        "symbol": "AAPL",
        "raised_at": NOON.isoformat(),
        "recorded_at": NOON.isoformat(),
        "data": {"slippage_bps": "25.0"},
    }
    assert alert.message.startswith("too dear. Increase the time window")
    assert state_of(alert) == state_of(alert, "log") == ("SENT", 1)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "SENT"),
        (204, "SENT"),
        (301, "REFUSED"),
        (307, "REFUSED"),
        (400, "REFUSED"),
        (401, "REFUSED"),
        (404, "REFUSED"),
        (408, "PENDING"),
        (429, "PENDING"),
        (500, "PENDING"),
        (503, "PENDING"),
    ],
)
def test_what_an_answer_means(receiver: Receiver, status: int, state: str) -> None:
    receiver.answers = [(status, {"Location": receiver.url})]
    alert = raise_alert()
    deliver(Webhook(receiver.url))
    assert state_of(alert) == (state, 1)
    if state != "SENT":
        assert f"HTTP {status}" in alert.deliveries.get(channel="webhook").last_error


def test_a_temporary_failure_is_tried_again_after_a_growing_pause(receiver: Receiver) -> None:
    receiver.answers = [(500, {}), (500, {})]
    alert = raise_alert()
    channel = Webhook(receiver.url)
    sent_at = [second for second in range(30) if deliver(channel, seconds=second) and second > 0]
    # Tried at 0, after 5 and after 10 more.
    assert sent_at == [15]
    assert state_of(alert) == ("SENT", 3)


def test_retry_after_is_honoured(receiver: Receiver) -> None:
    receiver.answers = [(429, {"Retry-After": "120"})]
    alert = raise_alert()
    channel = Webhook(receiver.url)
    deliver(channel)
    deliver(channel, seconds=119)
    assert state_of(alert) == ("PENDING", 1)
    deliver(channel, seconds=120)
    assert state_of(alert) == ("SENT", 2)


def test_nobody_listening_is_temporary() -> None:
    with pytest.raises(ChannelUnavailable, match="refused"):
        Webhook("http://127.0.0.1:9/").send(raise_alert())


def test_a_server_that_does_not_answer_is_temporary() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as deaf:
        # Bound and listening, but nobody accepts.
        channel = Webhook(f"http://127.0.0.1:{deaf.server_port}/", timeout=0.1)
        with pytest.raises(ChannelUnavailable, match="timed out"):
            channel.send(raise_alert())


class Dripping(BaseHTTPRequestHandler):
    """Answers a byte now and then, each within the reader's time-out, until it is told to end."""

    over = Event()
    requests = 0

    def do_POST(self) -> None:
        Dripping.requests += 1
        while not self.over.wait(0.02):
            self.wfile.write(b"x")

    def log_message(self, *args: object) -> None:
        pass


def test_a_server_that_drips_holds_up_no_other_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "LONGEST", 0.3)
    first, second = raise_alert("k1"), raise_alert("k2")
    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        channel = Webhook(f"http://127.0.0.1:{server.server_port}/")
        try:
            assert deliver(channel) == 2, "to the log"
            delivery = first.deliveries.get(channel="webhook")
            assert delivery.last_error == "no whole answer within 0.3 s"
            deliver(channel, seconds=60)
            errors = {each.deliveries.get(channel="webhook").last_error for each in (first, second)}
            assert "the try before has not ended yet" in errors
            assert Dripping.requests == 1
        finally:
            Dripping.over.set()
            server.shutdown()
    wait_for(lambda: not deadline._stuck["webhook"].is_alive(), 5, "the end of the try")


def test_it_is_given_up_in_the_end() -> None:
    alert = raise_alert()
    channel = Broken(ChannelUnavailable("down"))
    tries = 0
    while state_of(alert)[0] == "PENDING":
        deliver(channel, seconds=tries * 3_600)
        tries += 1
        assert tries <= deliveries.MAX_ATTEMPTS
    assert state_of(alert) == ("GIVEN_UP", deliveries.MAX_ATTEMPTS)


def test_a_dead_channel_costs_one_try_and_stops_no_other() -> None:
    for number in range(5):
        raise_alert(f"k{number}")
    channel = Broken(ChannelUnavailable("down"))
    assert deliver(channel) == 5  # to the log
    assert channel.tries == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ChannelRefused("no such room"), "REFUSED"),
        (ChannelUnavailable("down"), "PENDING"),
        (ZeroDivisionError("a bug in the channel"), "PENDING"),
    ],
)
def test_a_failing_channel_leaves_its_reason(error: Exception, state: str) -> None:
    alert = raise_alert()
    deliver(Broken(error))
    assert state_of(alert) == (state, 1)
    assert str(error) in alert.deliveries.get(channel="webhook").last_error


def test_a_channel_that_is_not_set_up_any_more_is_refused() -> None:
    alert = raise_alert()
    deliver(None)
    assert state_of(alert) == ("REFUSED", 1)


def test_a_process_that_died_while_sending_neither_loses_nor_repeats_for_ever() -> None:
    alert = raise_alert()
    for attempt in range(deliveries.MAX_ATTEMPTS):
        real_now = NOON + timedelta(seconds=40 * attempt)
        delivery = alert.deliveries.get(channel="webhook")
        assert deliveries._claim(delivery, real_now)
        # Within the lease nobody else tries.
        assert not deliveries._claim(delivery_before(delivery), real_now)
        assert not deliveries._due(real_now + timedelta(seconds=29)).filter(pk=delivery.pk).exists()
    assert state_of(alert)[0] == "PENDING"
    channel = Broken(ChannelUnavailable("down"))
    deliver(channel, seconds=40 * deliveries.MAX_ATTEMPTS)
    assert (state_of(alert)[0], channel.tries) == ("GIVEN_UP", 0)


def delivery_before(delivery: AlertDelivery) -> AlertDelivery:
    """As a process that read it before the last claim has it."""
    return AlertDelivery(pk=delivery.pk, attempts=delivery.attempts - 1)


def test_an_outcome_that_comes_after_the_lease_changes_nothing() -> None:
    alert = raise_alert()
    slow = alert.deliveries.get(channel="webhook")
    assert deliveries._claim(slow, NOON)
    deliver(Working(), seconds=31)
    deliveries._later(slow, NOON, "too late")
    assert state_of(alert) == ("SENT", 2)


def test_the_channels_of_a_configuration() -> None:
    assert set(configured(CONFIG)) == {"log"}
    with_url = CONFIG.model_copy(update={"alert_webhook_url": "https://example.com/x"})
    assert set(configured(with_url)) == {"log", "webhook"}


class Pager:
    seen: ClassVar[list[str]] = []

    def send(self, alert: Alert) -> None:
        self.seen.append(alert.message)


def pager(config: Config) -> Pager:
    return Pager()


def test_a_new_channel_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets new alerts, and the test that an operator sends."""
    seen = Pager.seen
    seen.clear()
    monkeypatch.setitem(CHANNELS, "pager", f"{__name__}.pager")
    alert = raise_alert()
    assert state_of(alert, "pager") == ("PENDING", 0)
    deliveries.deliver_due(real_now=lambda: NOON, channels=configured(CONFIG))
    assert seen == [alert.message]
    assert state_of(alert, "pager") == ("SENT", 1)
    call_command("test_alert", channel="pager", stdout=StringIO())
    assert len(seen) == 2


def test_deliveries_are_unique_in_the_database() -> None:
    alert = raise_alert()
    assert sorted(AlertDelivery.objects.values_list("alert", "channel")) == [
        (alert.pk, "log"),
        (alert.pk, "webhook"),
    ]


class Working:
    def send(self, alert: Alert) -> None:
        pass


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error
        self.tries = 0

    def send(self, alert: Alert) -> None:
        self.tries += 1
        raise self.error


def test_it_stops_in_time_for_the_thread_to_send_slices() -> None:
    for number in range(5):
        raise_alert(f"k{number}")
    # Each look at the clock finds it two seconds later.
    times = count(0, 2)

    def real_now() -> datetime:
        return NOON + timedelta(seconds=next(times))

    sent = deliveries.deliver_due(
        real_now=real_now, channels={"log": LogChannel(), "webhook": Working()}
    )
    assert 0 < sent < 5
    assert deliver(Working(), seconds=60) == 10 - sent


@pytest.mark.django_db(transaction=True)
def test_one_process_delivers_at_a_time() -> None:
    alert = raise_alert()
    with ThreadPoolExecutor(1) as pool, alone(DELIVERING):
        assert pool.submit(in_thread).result() == 0
    assert state_of(alert) == ("PENDING", 0)
    assert deliver(Working()) == 2


def in_thread() -> int:
    try:
        return deliver(Working())
    finally:
        connection.close()
