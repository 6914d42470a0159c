"""Which events of orders the next message to a receiver holds."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q

from deepstack.config_webhooks import WebhookReceiver
from execution.orders import event_feed
from execution.orders.event_feed import Cursor
from monitoring.models import WebhookDelivery, WebhookPosition

log = structlog.get_logger(__name__)

BATCH = 100  # events of one message
# A receiver that was not set up for longer begins with what happens now.
KEPT = timedelta(days=7)


def wanted(receiver: WebhookReceiver) -> Q:
    named = {
        "order__account__in": receiver.accounts,
        "order__strategy__in": receiver.strategies,
        "kind__in": receiver.kinds,
    }
    return Q(**{name: values for name, values in named.items() if values})


def unread(name: str, receiver: WebhookReceiver, *, real_now: datetime) -> bool:
    cursor = _cursor(name, real_now)
    events = event_feed.unread(cursor, event_feed.horizon())
    return bool(events.filter(wanted(receiver)).exists())


def collect(name: str, receiver: WebhookReceiver, *, real_now: datetime) -> WebhookDelivery | None:
    """Store the next message before it is sent, together with the place behind it: whatever dies,
    it is sent with the same events under the same number. For one caller at a time."""
    cursor = _cursor(name, real_now)
    events, behind = event_feed.read(cursor, limit=BATCH, real_now=real_now, only=wanted(receiver))
    with transaction.atomic():
        _store(name, behind, real_now)
        if not events:
            return None
        return WebhookDelivery.objects.create(
            receiver=name,
            events=[event.pk for event in events],
            created_at_real=real_now,
            next_try_at_real=real_now,
        )


def _cursor(name: str, real_now: datetime) -> Cursor:
    row = WebhookPosition.objects.filter(receiver=name).first()
    if row is not None and real_now - row.read_at_real <= KEPT:
        return Cursor(row.transaction, row.event_id, row.floor, row.next_floor, row.noted_at_real)
    log.info("a receiver of order events begins with what happens now", receiver=name)
    cursor = event_feed.from_now(real_now)
    _store(name, cursor, real_now)
    return cursor


def _store(name: str, cursor: Cursor, real_now: datetime) -> None:
    WebhookPosition.objects.update_or_create(
        receiver=name,
        defaults={
            "transaction": cursor.transaction,
            "event_id": cursor.event_id,
            "floor": cursor.floor,
            "next_floor": cursor.next_floor,
            "noted_at_real": cursor.noted_at_real,
            "read_at_real": real_now,
        },
    )
