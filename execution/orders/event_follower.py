"""One order's events for a program that waits for them."""

import asyncio
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.utils import timezone

from execution.models import Order
from execution.orders import event_feed
from execution.orders.event_message import EventMessage, message_of

EVERY = 0.2  # seconds
BATCH = 500


async def follow(order_id: int) -> AsyncIterator[EventMessage]:
    """From the first; ends once the order has ended and its events were all given."""
    only, cursor = Q(order_id=order_id), event_feed.from_the_first(timezone.now())
    over = False
    while not over:
        over = await sync_to_async(_has_ended)(order_id)  # first, so that what ended it is read
        if over:
            events = await sync_to_async(event_feed.rest)(cursor, only)
        else:
            events, cursor = await sync_to_async(event_feed.read)(
                cursor, limit=BATCH, real_now=timezone.now(), only=only
            )
        for event in events:
            yield message_of(event)
        if not over and len(events) < BATCH:
            await asyncio.sleep(EVERY)


def _has_ended(order_id: int) -> bool:
    return Order.objects.only("status").get(pk=order_id).is_terminal
