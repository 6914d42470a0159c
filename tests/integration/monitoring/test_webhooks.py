"""Order events on their way to a program of somebody else, with a real HTTP server there."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from zlib import crc32

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from deepstack import config
from deepstack.config_webhooks import WebhookReceiver, Webhooks
from deepstack.database.advisory_locks import WEBHOOK, alone
from execution.models import Order
from monitoring.alerting import surveillance
from monitoring.clocks import Moment
from monitoring.models import Alert, WebhookDelivery, WebhookPosition
from monitoring.tasks import build_summaries
from monitoring.webhooks import sending
from tests.integration.monitoring.receiver import Receiver, receiving
from tests.integration.monitoring.rows import CONFIG, LIMITS, add_event, working

pytestmark = pytest.mark.django_db(transaction=True)

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
START = timezone.now()  # real time: rows are read by what PostgreSQL's clock says, too


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def to(receiver: Receiver, **changes: Any) -> WebhookReceiver:
    values = {"url": receiver.url, "secret": SECRET, **changes}
    return WebhookReceiver.model_validate(values)


def send(found: WebhookReceiver, *, after: float = 0) -> int:
    """What can be sent so many seconds later."""

    def real_now() -> datetime:
        return START + timedelta(seconds=after)

    return sending.send_due("risk", found, real_now=real_now)


def begun(found: WebhookReceiver) -> Order:
    """An order whose events so far were before the receiver was set up."""
    order = working()
    assert send(found) == 0
    return order


def reasons(receiver: Receiver) -> list[list[str]]:
    """Of the events of each message."""
    return [[event["data"]["reason"] for event in body["events"]] for _, body in receiver.got]


def test_a_receiver_gets_what_happens_after_it_was_set_up(receiver: Receiver) -> None:
    found = to(receiver)
    order = begun(found)
    events = [add_event(order, "ORDER_REASON", reason=f"{number}") for number in range(3)]
    assert send(found) == 1
    assert send(found, after=1) == 0
    ((_, body),) = receiver.got
    assert [event["id"] for event in body["events"]] == [event.pk for event in events]
    first = body["events"][0]
    assert (first["kind"], first["order_id"], first["account"]) == (
        "ORDER_REASON",
        order.pk,
        "main",
    )


def test_a_message_is_signed_by_its_number_time_and_body(receiver: Receiver) -> None:
    old = bytes(24)
    previous = "whsec_" + base64.b64encode(old).decode()
    found = to(receiver, previous_secret=previous)
    add_event(begun(found), "ORDER_REASON", reason="x")
    send(found)
    (headers, _), (content,) = receiver.got[0], receiver.contents
    delivery = WebhookDelivery.objects.get()
    assert headers["webhook-id"] == f"order-events-{delivery.pk}"
    assert abs(int(headers["webhook-timestamp"]) - START.timestamp()) <= 1
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    marks = [hmac.new(key, signed, hashlib.sha256).digest() for key in (KEY, old)]
    wanted = " ".join("v1," + base64.b64encode(mark).decode() for mark in marks)
    assert headers["webhook-signature"] == wanted


def test_only_the_events_that_were_asked_for_are_sent(receiver: Receiver) -> None:
    found = to(receiver, accounts=["mine"], kinds=["ORDER_REASON"])
    other = begun(found)
    mine = working(account="mine")
    add_event(other, "ORDER_REASON", reason="of another")
    add_event(mine, "ORDER_REASON", reason="mine")
    assert send(found) == 1
    assert reasons(receiver) == [["mine"]]


def test_none_is_sent_before_the_one_before_it_was_taken(receiver: Receiver) -> None:
    found = to(receiver)
    order = begun(found)
    receiver.answers = [(503, {"Retry-After": "120"})]
    add_event(order, "ORDER_REASON", reason="first")
    assert send(found) == 0
    add_event(order, "ORDER_REASON", reason="second")
    assert send(found, after=119) == 0
    assert sending.with_work({"risk": found}, real_now=START + timedelta(seconds=119)) == []
    assert send(found, after=121) == 2
    assert reasons(receiver) == [["first"], ["first"], ["second"]]
    (once, _), (again, _), _ = receiver.got
    assert once["webhook-id"] == again["webhook-id"]
    assert once["webhook-signature"] != again["webhook-signature"]


def test_who_died_while_sending_sends_the_same_message_again(receiver: Receiver) -> None:
    found = to(receiver)
    order = begun(found)
    add_event(order, "ORDER_REASON", reason="first")
    send(found)
    sent = WebhookDelivery.objects.all()
    sent.update(state="PENDING", settled_at_real=None, next_try_at_real=START + sending.LEASE)
    add_event(order, "ORDER_REASON", reason="second")
    assert send(found, after=29) == 0
    assert send(found, after=31) == 2
    assert reasons(receiver) == [["first"], ["first"], ["second"]]
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]


def test_what_is_refused_for_an_hour_is_given_up_and_an_alert_stands(receiver: Receiver) -> None:
    found = to(receiver)
    order = begun(found)
    receiver.answers = [(400, {}), (400, {})]
    add_event(order, "ORDER_REASON", reason="first")
    send(found)
    evaluate(found)
    alert = Alert.objects.get(kind="DELIVERY_FAILED")
    assert "channel orders:risk refuses messages" in alert.message
    assert "manage.py test_webhook NAME" in alert.message
    add_event(order, "ORDER_REASON", reason="second")
    assert send(found, after=3601) == 1
    assert reasons(receiver) == [["first"], ["first"], ["second"]]
    given_up = WebhookDelivery.objects.get(state="GIVEN_UP")
    assert (given_up.attempts, given_up.last_error) == (2, "HTTP 400 Bad Request")
    evaluate(found)
    assert Alert.objects.filter(ended_at__isnull=False, kind="DELIVERY_FAILED").exists()


def evaluate(found: WebhookReceiver) -> None:
    settings = CONFIG.model_copy(update={"webhooks": Webhooks(receivers={"risk": found})})
    moment = Moment(now=START, real_now=START)
    surveillance.evaluate(moment=moment, config=settings, limits=LIMITS, market=None)


def test_one_process_sends_at_a_time(receiver: Receiver) -> None:
    found = to(receiver)
    add_event(begun(found), "ORDER_REASON", reason="x")
    assert sending.with_work({"risk": found}, real_now=START) == ["risk"]
    with ThreadPoolExecutor(1) as other, alone(WEBHOOK + crc32(b"risk")) as mine:
        assert mine
        assert other.submit(_send_and_close, found).result() == 0
    assert send(found) == 1
    assert sending.with_work({"risk": found}, real_now=START) == []


def _send_and_close(found: WebhookReceiver) -> int:
    try:
        return send(found)
    finally:
        connection.close()


def test_a_receiver_that_was_away_for_long_begins_anew(receiver: Receiver) -> None:
    found = to(receiver)
    add_event(begun(found), "ORDER_REASON", reason="missed")
    assert send(found, after=8 * 86_400) == 0
    assert not WebhookDelivery.objects.exists()
    assert WebhookPosition.objects.get().read_at_real == START + timedelta(days=8)


def test_the_log_of_deliveries_is_kept_for_a_month(receiver: Receiver) -> None:
    found = to(receiver)
    add_event(begun(found), "ORDER_REASON", reason="x")
    send(found)
    build_summaries()
    assert WebhookDelivery.objects.exists()
    sending.forget_old(real_now=START + timedelta(days=31))
    assert not WebhookDelivery.objects.exists()


def test_a_test_tells_what_came_of_it(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"URL": receiver.url, "SECRET": SECRET}.items():
        monkeypatch.setenv(f"WEBHOOKS__RECEIVERS__RISK__{key}", value)
    settings = config.Config.from_env()
    monkeypatch.setattr("monitoring.management.commands.test_webhook.current", lambda: settings)
    out = StringIO()
    call_command("test_webhook", "risk", stdout=out)
    assert out.getvalue() == "risk: taken\n"
    assert json.loads(receiver.contents[0]) == {"events": []}
    receiver.answers = [(401, {})]
    with pytest.raises(CommandError, match="risk: FAILED, HTTP 401"):
        call_command("test_webhook", "risk")
    with pytest.raises(CommandError, match="'riks': set up are risk"):
        call_command("test_webhook", "riks")
