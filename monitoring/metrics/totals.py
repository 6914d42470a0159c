"""Counters: every event of an order is counted once, whoever scrapes and how often.

A pause of more than LONGEST_PAUSE without a scrape is not made up for: the counters go on from
there, and a graph shows the gap.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, FloatField, IntegerField, Max, Q, QuerySet, Sum, TextField
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import SLICE_TERMINAL, SliceStatus
from execution.models import OrderEvent
from execution.orders import event_feed
from execution.orders.event_feed import Cursor
from monitoring.models import MetricTotals

LONGEST_PAUSE = timedelta(hours=1)
# Upper bounds in seconds, of both histograms.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Events = QuerySet[OrderEvent]
_ANSWERED = Q(kind=EventKind.SLICE_STATUS, data__from=SliceStatus.SENDING) & ~Q(
    data__to__in=[SliceStatus.PLANNED, SliceStatus.SKIPPED, SliceStatus.UNKNOWN]
)


def key(name: str, *labels: object) -> str:
    return "|".join([name, *map(str, labels)])


def up_to_date(
    *, real_now: datetime, speed: float, at_most_every: timedelta
) -> Mapping[str, float]:
    """The totals with all events that are committed by now, unless they were counted a moment ago.
    `speed`: seconds of trading time for each second."""
    MetricTotals.objects.get_or_create(pk=1)
    with transaction.atomic():
        row = MetricTotals.objects.select_for_update().get(pk=1)
        if row.counted_at_real and real_now - row.counted_at_real < at_most_every:
            return dict(row.totals)
        cursor = _cursor(row, real_now)
        end = event_feed.horizon()
        events = event_feed.unread(cursor, end)
        newest = events.order_by().aggregate(last=Max("pk"))["last"]
        totals: dict[str, float] = dict(row.totals)
        if newest is not None:
            for count in COUNTS:
                for name, n in count(events.order_by(), speed):
                    totals[name] = totals.get(name, 0) + n
        moved = cursor.behind(
            end - 1,
            event_feed.LAST_NUMBER,
            newest=max(newest or 0, cursor.next_floor),
            real_now=real_now,
        )
        row.cursor, row.totals, row.counted_at_real = _stored(moved), totals, real_now
        row.save()
        return totals


def _cursor(row: MetricTotals, real_now: datetime) -> Cursor:
    if not row.cursor or not row.counted_at_real or real_now - row.counted_at_real > LONGEST_PAUSE:
        return event_feed.from_now(real_now)
    noted = datetime.fromisoformat(row.cursor["noted_at_real"])
    return Cursor(**{**row.cursor, "noted_at_real": noted})


def _stored(cursor: Cursor) -> dict[str, Any]:
    return {**asdict(cursor), "noted_at_real": cursor.noted_at_real.isoformat()}


def _by_kind(events: Events, speed: float) -> Iterable[tuple[str, float]]:
    for kind, n in events.values_list("kind").annotate(n=Count("pk")):
        yield key("events", kind), n


def _orders(events: Events, speed: float) -> Iterable[tuple[str, float]]:
    ended = events.filter(kind=EventKind.ORDER_STATUS).annotate(to=KT("data__to"))
    for status, n in ended.values_list("to").annotate(n=Count("pk")):
        yield key("orders", status), n


def _denials(events: Events, speed: float) -> Iterable[tuple[str, float]]:
    denied = events.filter(kind=EventKind.ORDER_DENIED).annotate(code=KT("data__code"))
    for code, n in denied.values_list("code").annotate(n=Count("pk")):
        yield key("denials", code), n


def _slices(events: Events, speed: float) -> Iterable[tuple[str, float]]:
    ended = events.filter(data__to__in=sorted(SLICE_TERMINAL)).annotate(to=KT("data__to"))
    one = ended.filter(kind=EventKind.SLICE_STATUS).values_list("to").annotate(n=Count("pk"))
    yield from ((key("slices", outcome), n) for outcome, n in one)
    how_many: RawSQL = RawSQL(
        "jsonb_array_length(execution_orderevent.data->'slices')", [], output_field=IntegerField()
    )
    many = ended.filter(kind=EventKind.SLICES_CHANGED).values_list("to").annotate(n=Sum(how_many))
    yield from ((key("slices", outcome), n) for outcome, n in many)


def _fills(events: Events, speed: float) -> Iterable[tuple[str, float]]:
    fills = events.filter(kind__in=[EventKind.FILL, EventKind.LATE_FILL])
    shares = Cast(Cast(KT("data__quantity"), TextField()), FloatField())
    for broker, n, bought in fills.values_list("slice__broker").annotate(
        n=Count("pk"), shares=Sum(shares)
    ):
        yield key("fills", broker), n
        yield key("filled_shares", broker), bought


def _lateness(events: QuerySet[Any], speed: float) -> Iterable[tuple[str, float]]:
    sent = events.filter(_ANSWERED, slice__lateness_ms__isnull=False)
    for (late,) in sent.values_list("slice__lateness_ms"):
        yield from _observed("lateness", max(late, 0.0) / 1000)


def _answers(events: QuerySet[Any], speed: float) -> Iterable[tuple[str, float]]:
    answered = events.filter(_ANSWERED, slice__sent_at__lte=F("at"))
    for broker, sent_at, at in answered.values_list("slice__broker", "slice__sent_at", "at"):
        yield from _observed("answer", (at - sent_at).total_seconds() / speed, broker)


def _observed(name: str, seconds: float, *labels: object) -> Iterable[tuple[str, float]]:
    bound = next((each for each in BOUNDS if seconds <= each), "+Inf")
    yield key(f"{name}_bucket", *labels, bound), 1
    yield key(f"{name}_sum", *labels), seconds


COUNTS: tuple[Callable[[Events, float], Iterable[tuple[str, float]]], ...] = (
    _by_kind,
    _orders,
    _denials,
    _slices,
    _fills,
    _lateness,
    _answers,
)
