"""Server-sent events: what happens to orders, as it happens. Only the stream process serves it,
where a thousand open answers cost no thread."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import cache
from operator import itemgetter
from typing import Any

from cachetools import LRUCache, cached
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from execution.access import desks
from execution.api.errors import Door
from execution.api.permissions import ModelPermissions
from execution.models import Order
from execution.orders import event_feed
from execution.orders.event_feed import Cursor
from execution.orders.event_hub import Hub, TooManyListeners, Wanted
from execution.orders.event_message import EventMessage

BEAT_SECONDS = 10.0  # between two signs of life
# Then the client connects again, and whether it still may is asked anew.
LONGEST_SECONDS = 600.0
KEPT = 2_000  # events as text
RETRY_MS = 1_000  # before a client connects again
LAST = "Last-Event-ID"


class StreamQuery(serializers.Serializer[Wanted]):
    order = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    account = serializers.CharField(required=False, max_length=32)
    strategy = serializers.CharField(required=False, max_length=64, allow_blank=True)
    last_event_id = serializers.IntegerField(required=False, min_value=0, max_value=2**63 - 1)


class MayRead(ModelPermissions):
    perms_map = {**ModelPermissions.perms_map, "GET": ["execution.view_order"]}


class OrderStream(Door, APIView):
    """Every event of the orders as a server-sent event whose id is the event's number.

    A client that connects again with `Last-Event-ID` misses none and gets none twice; 0 begins
    with an order's first event. Ends after ten minutes, and for a client that reads too slowly:
    connect again.
    """

    queryset = Order.objects.all()
    permission_classes = [MayRead]

    @extend_schema(
        parameters=[
            OpenApiParameter("order", OpenApiTypes.INT, description="only of this order"),
            OpenApiParameter("account", OpenApiTypes.STR),
            OpenApiParameter("strategy", OpenApiTypes.STR),
            OpenApiParameter("last_event_id", OpenApiTypes.INT, description=f"as {LAST}"),
            OpenApiParameter(LAST, OpenApiTypes.INT, "header"),
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        if not _is_open_ended(request._request):
            raise NotFound("the stream is served by the process of its own, see docs/stream.md")
        asked = _asked(request)
        own = desks.accounts_of(request.user)
        wanted = Wanted(asked.get("order"), asked.get("account"), asked.get("strategy"), own)
        response = StreamingHttpResponse(
            _lines(wanted, _behind(asked)), content_type="text/event-stream"
        )
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"  # nginx would keep it back
        return response


def _is_open_ended(request: HttpRequest) -> bool:
    return isinstance(request, ASGIRequest)


def _asked(request: Request) -> dict[str, Any]:
    given = request.query_params.dict()
    if unknown := sorted(set(given) - set(StreamQuery().fields)):
        raise ValidationError({unknown[0]: ["is none of order, account, strategy, last_event_id"]})
    if LAST in request.headers:
        given["last_event_id"] = request.headers[LAST]
    query = StreamQuery(data=given)
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def _behind(asked: dict[str, Any]) -> Cursor | None:
    number = asked.get("last_event_id")
    if not isinstance(number, int):
        return None
    if number == 0:
        if "order" not in asked:
            raise ValidationError({LAST: ["0, from the first event on, is for one order only"]})
        return event_feed.from_the_first(timezone.now())
    cursor = event_feed.behind_event(number, timezone.now())
    if cursor is None:
        raise ValidationError({LAST: [f"there is no event {number}: read the order anew"]})
    return cursor


@cache
def _hub() -> Hub:
    """Of this process."""
    return Hub()


async def _lines(wanted: Wanted, behind: Cursor | None) -> AsyncIterator[str]:
    """Whoever has read the first line misses nothing that is stored from then on."""
    until = time.monotonic() + LONGEST_SECONDS
    first = f"retry: {RETRY_MS}\n\n"
    async with aclosing(_hub().listen(wanted, behind, beat=BEAT_SECONDS)) as messages:
        try:
            await anext(messages)
        except TooManyListeners:
            yield f"{first}event: busy\ndata: {{}}\n\n"
            return
        yield first
        async for message in messages:
            yield ": \n\n" if message is None else as_text(message)
            if time.monotonic() > until:
                return


@cached(LRUCache(KEPT), key=itemgetter("id"))
def as_text(message: EventMessage) -> str:
    """Written once for all who listen: an event never changes."""
    return f"id: {message['id']}\nevent: {message['kind']}\ndata: {json.dumps(message)}\n\n"
