"""Events of orders leave for the receivers, in order: the oldest message first, and none before it
was taken or given up."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from zlib import crc32

import structlog
from django.db.models import Min

from deepstack.config_webhooks import WebhookReceiver
from deepstack.database.advisory_locks import WEBHOOK, alone
from execution.models import OrderEvent
from execution.orders.event_message import message_of
from monitoring.channels import channel_health
from monitoring.channels.channel_health import Outcome
from monitoring.channels.http_post import post
from monitoring.models import WebhookDelivery
from monitoring.webhooks import batches, signature

log = structlog.get_logger(__name__)

State = WebhookDelivery.State
Receivers = Mapping[str, WebhookReceiver]

PATIENCE = timedelta(seconds=10)
# While a try is under way nobody else begins one; longer than the time-outs of a POST.
LEASE = timedelta(seconds=30)
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
UNAVAILABLE_FOR = timedelta(days=3)  # then a message is given up, and the next is sent
REFUSED_FOR = timedelta(hours=1)
LOG_KEPT = timedelta(days=30)


def channel_of(name: str) -> str:
    """By what name a receiver stands among the channels."""
    return f"orders:{name}"


def with_work(receivers: Receivers, *, real_now: datetime) -> list[str]:
    """The receivers to which something can be sent now."""
    if not receivers:
        return []
    pending = WebhookDelivery.objects.filter(state=State.PENDING, receiver__in=receivers)
    due = {
        row["receiver"]: row["due"]
        for row in pending.values("receiver").annotate(due=Min("next_try_at_real"))
    }
    return [
        name
        for name, receiver in receivers.items()
        if (
            due[name] <= real_now
            if name in due
            else batches.unread(name, receiver, real_now=real_now)
        )
    ]


def send_due(name: str, receiver: WebhookReceiver, *, real_now: Callable[[], datetime]) -> int:
    """Send what can be sent within PATIENCE; returns how many messages were taken. Ends at the
    first that was not, and does nothing while another process sends to this receiver."""
    sent, stop = 0, real_now() + PATIENCE
    with alone(WEBHOOK + crc32(name.encode())) as mine:
        while mine and real_now() < stop:
            delivery = _next(name, receiver, real_now())
            if delivery is None or _try(delivery, receiver, real_now) == State.PENDING:
                break
            sent += delivery.state == State.SENT
    return sent


def forget_old(*, real_now: datetime) -> None:
    WebhookDelivery.objects.filter(settled_at_real__lt=real_now - LOG_KEPT).delete()


def send_test(name: str, receiver: WebhookReceiver, *, real_now: datetime) -> Outcome:
    """A signed message without events."""
    return _post(name, f"test-{real_now:%Y%m%d%H%M%S%f}", [], receiver, real_now)


def _next(name: str, receiver: WebhookReceiver, real_now: datetime) -> WebhookDelivery | None:
    rows = WebhookDelivery.objects.filter(receiver=name, state=State.PENDING)
    oldest = rows.order_by("pk").first()
    if oldest is None:
        return batches.collect(name, receiver, real_now=real_now)
    return oldest if oldest.next_try_at_real <= real_now else None


def _try(
    delivery: WebhookDelivery, receiver: WebhookReceiver, real_now: Callable[[], datetime]
) -> str:
    delivery.attempts += 1
    delivery.next_try_at_real = real_now() + LEASE
    delivery.save(update_fields=["attempts", "next_try_at_real"])
    message = f"order-events-{delivery.pk}"
    outcome = _post(delivery.receiver, message, delivery.events, receiver, real_now())
    channel_health.note(channel_of(delivery.receiver), outcome, real_now())
    _record(delivery, outcome, real_now())
    return delivery.state


def _post(
    name: str,
    message_id: str,
    numbers: Sequence[int],
    receiver: WebhookReceiver,
    real_now: datetime,
) -> Outcome:
    found = OrderEvent.objects.select_related("order", "slice").in_bulk(list(numbers))
    events = [message_of(found[number]) for number in numbers if number in found]
    body = json.dumps({"events": events}).encode()
    headers = signature.headers(message_id, body, keys=receiver.keys, at=real_now)
    url = receiver.url.get_secret_value()
    return channel_health.outcome_of(channel_of(name), lambda: post(url, body, headers))


def _record(delivery: WebhookDelivery, outcome: Outcome, real_now: datetime) -> None:
    delivery.last_error = outcome.problem[:300]
    bound = REFUSED_FOR if outcome.refused else UNAVAILABLE_FOR
    if outcome.problem and real_now - delivery.created_at_real < bound:
        delivery.next_try_at_real = real_now + channel_health.pause(
            delivery.attempts,
            first=FIRST_PAUSE,
            longest=LONGEST_PAUSE,
            retry_after=outcome.retry_after,
        )
    else:
        delivery.state = State.GIVEN_UP if outcome.problem else State.SENT
        delivery.settled_at_real = real_now
    if outcome.problem:
        log.error(
            "order events not delivered",
            receiver=delivery.receiver,
            delivery_id=delivery.pk,
            state=delivery.state,
            problem=outcome.problem,
        )
    delivery.save(update_fields=["state", "next_try_at_real", "settled_at_real", "last_error"])
