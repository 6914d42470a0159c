"""Which of the orders' events no evaluation has read yet, however many there are.

Events are numbered when they are written and seen when they are committed: an older number may
appear after a newer one. What one could see follows from PostgreSQL's transaction numbers. The
mark, below which nothing new can appear, only keeps the reading short.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    DateTimeField,
    F,
    Max,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Greatest, Now

from execution.models import OrderEvent
from monitoring.alerting import system_rules
from monitoring.models import EventCursor

# Longer than any transaction lasts: what was written before is seen by then, or never.
SETTLED_AFTER = timedelta(seconds=90)
# Between two evaluations; one that comes sooner leaves it to the one before.
SHORTEST_PAUSE = timedelta(seconds=0.5)

_SNAPSHOT = (
    "SELECT pg_snapshot_xmin(snapshot)::text::bigint, pg_snapshot_xmax(snapshot)::text::bigint"
    " FROM pg_current_snapshot() AS snapshot"
)
# Rows keep the lower 32 bits of the number of the transaction that wrote them; they run in a
# circle, half of which is the past.
_CIRCLE, _HALF = 2**32, 2**31
_WRITTEN_SINCE = (
    '(("execution_orderevent".xmin::text::bigint - %s::bigint + %s::bigint) %% %s::bigint)'
    " < %s::bigint"
)


@dataclass(frozen=True, slots=True)
class NewEvents:
    """`alerting`: the events that raise an alert by themselves. `orders`: the ids of all orders
    with events, those with the newest first. `newest`: the last event's number."""

    alerting: Sequence[OrderEvent]
    orders: Sequence[int]
    newest: int
    seen_until: int

    def note_read(self) -> None:
        """Once all of it was judged: an evaluation that dies before is made good by the next."""
        settled = Q(next_noted_at_real__lt=Now() - SETTLED_AFTER)
        again = settled | Q(next_noted_at_real__isnull=True)
        EventCursor.objects.filter(pk=1).update(
            seen_until=self.seen_until,
            event_id=Case(
                When(settled, then=Greatest("event_id", "next_event_id")),
                default=F("event_id"),
                output_field=BigIntegerField(),
            ),
            next_event_id=Case(
                When(again, then=Value(self.newest)),
                default=F("next_event_id"),
                output_field=BigIntegerField(),
            ),
            next_noted_at_real=Case(
                When(again, then=Now()),
                default=F("next_noted_at_real"),
                output_field=DateTimeField(),
            ),
        )


def read() -> NewEvents:
    """All that was committed since the last noted evaluation, and perhaps a little more."""
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT)
        oldest_running, next_one = cursor.fetchone()
    mark, _ = EventCursor.objects.get_or_create(pk=1)
    newer = OrderEvent.objects.filter(pk__gt=mark.event_id)
    since = mark.seen_until
    # A number that is still to come is of another cluster, from before a restored dump.
    fresh = newer if since is None or since > next_one else _written_since(newer, since)
    by_order = fresh.order_by().values_list("order_id").annotate(last=Max("pk"))
    found = sorted(by_order, key=lambda row: row[1], reverse=True)
    alerting = (
        fresh.filter(kind__in=system_rules.EVENT_ALERTS).select_related("order").order_by("pk")
    )
    return NewEvents(
        alerting=list(alerting) if found else [],
        orders=[order_id for order_id, _ in found],
        newest=max([mark.next_event_id, mark.event_id, *(last for _, last in found[:1])]),
        seen_until=oldest_running,
    )


def _written_since(events: QuerySet[OrderEvent], transaction: int) -> QuerySet[OrderEvent]:
    values = (transaction % _CIRCLE, _CIRCLE, _CIRCLE, _HALF)
    return events.alias(
        written_since=RawSQL(_WRITTEN_SINCE, values, output_field=BooleanField())  # noqa: S611
    ).filter(written_since=True)


def take_turn(after: timedelta = SHORTEST_PAUSE) -> bool:
    """Whether no evaluation has begun for so long; then the caller has begun one."""
    EventCursor.objects.get_or_create(pk=1)
    turn = Q(evaluated_at_real__isnull=True) | Q(evaluated_at_real__lt=Now() - after)
    return EventCursor.objects.filter(turn, pk=1).update(evaluated_at_real=Now()) == 1
