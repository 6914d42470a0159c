"""All orders' events as one stream that loses none and repeats none.

Events are numbered when they are written and seen when they are committed, so a lower number may
appear after a higher one, and "number > last" would lose it. The stream is therefore ordered by
the transaction that wrote an event, then by its number, and ends below the oldest transaction that
is still under way: all before that are seen or never will be. A reader that knows one event's
number can go on behind it at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField, Q, QuerySet
from django.db.models.expressions import RawSQL

from execution.models import OrderEvent

# Longer than any transaction lasts: what was numbered before is seen by then, or never.
SETTLED_AFTER = timedelta(seconds=90)
# More events than are numbered while one transaction lasts.
MARGIN = 50_000
LAST_NUMBER = 2**63 - 1

_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_NEXT = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
# Rows keep the lower 32 bits of the number of the transaction that wrote them; they run in a
# circle, half of which is the past. PostgreSQL's remainder keeps the sign, hence the sum.
_CIRCLE, _HALF = 2**32, 2**31
_WRITTEN = (
    '(%s::bigint - ((%s::bigint - "execution_orderevent".xmin::text::bigint) %% %s::bigint'
    " + %s::bigint) %% %s::bigint)"
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Behind the event `event_id`, which `transaction` wrote.

    `floor`: no event with a number up to it is unread; it only keeps the reading short.
    `next_floor`: becomes the floor once it was noted SETTLED_AFTER ago.
    """

    transaction: int
    event_id: int
    floor: int
    next_floor: int
    noted_at_real: datetime

    def behind(
        self, transaction: int, event_id: int, *, newest: int, real_now: datetime
    ) -> "Cursor":
        """Moved on after everything up to the horizon was read; `newest`: the highest number."""
        moved = replace(self, transaction=transaction, event_id=event_id)
        if real_now - self.noted_at_real < SETTLED_AFTER:
            return moved
        floor = max(self.floor, self.next_floor)
        return replace(moved, floor=floor, next_floor=max(floor, newest), noted_at_real=real_now)


def horizon() -> int:
    """The oldest transaction under way; every earlier one has ended."""
    return _transaction(_HORIZON)


def _transaction(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row: tuple[int] = cursor.fetchone()
        return row[0]


def from_now(real_now: datetime) -> Cursor:
    """Behind all that is committed by now, before what is under way."""
    end = horizon()
    newest = OrderEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return Cursor(end - 1, LAST_NUMBER, max(newest - MARGIN, 0), newest, real_now)


def from_the_first(real_now: datetime) -> Cursor:
    """Before all events; meant for the few of one order."""
    return Cursor(0, 0, 0, 0, real_now)


def behind_event(event_id: int, real_now: datetime) -> Cursor | None:
    """Behind the event of this number; None where no event has it."""
    row = _numbered(OrderEvent.objects.filter(pk=event_id), horizon()).values_list("written")
    written = row.first()
    if written is None:
        return None
    return Cursor(written[0], event_id, max(event_id - MARGIN, 0), event_id, real_now)


def unread(cursor: Cursor, end: int) -> QuerySet[OrderEvent]:
    """The events behind the cursor and before the transaction `end`, in the stream's order, each
    with the transaction that wrote it as `written`."""
    # A number that is still to come is of another cluster, from before a restored dump.
    if cursor.transaction >= end:
        behind = Q(pk__gt=cursor.next_floor)
    else:
        same = Q(written=cursor.transaction, pk__gt=cursor.event_id)
        behind = Q(written__gt=cursor.transaction) | same
    events = OrderEvent.objects.filter(pk__gt=cursor.floor)
    return _numbered(events, end).filter(behind, written__lt=end).order_by("written", "pk")


def read(
    cursor: Cursor, *, limit: int, real_now: datetime, only: Q | None = None
) -> tuple[Sequence[OrderEvent], Cursor]:
    """At most `limit` of the next events, with their orders and slices, and the cursor behind
    them. `only` narrows them, and must stay the same for a cursor."""
    end = horizon()
    events = unread(cursor, end).select_related("order", "slice").filter(only or Q())
    found = list(events[:limit])
    if len(found) == limit:
        last = found[-1]
        return found, replace(cursor, transaction=last.written, event_id=last.pk)  # type: ignore[attr-defined]
    newest = max([cursor.next_floor, *(event.pk for event in found)])
    return found, cursor.behind(end - 1, LAST_NUMBER, newest=newest, real_now=real_now)


def rest(cursor: Cursor, only: Q) -> Sequence[OrderEvent]:
    """All that is committed behind the cursor, also after a transaction that is still under way.
    For a reader that ends here: behind these there may be some that belong before them."""
    events = unread(cursor, _transaction(_NEXT)).select_related("order", "slice")
    return list(events.filter(only))


def _numbered(events: QuerySet[OrderEvent], end: int) -> QuerySet[Any]:
    values = (end, end, _CIRCLE, _CIRCLE, _CIRCLE)
    written = RawSQL(_WRITTEN, values, output_field=BigIntegerField())  # noqa: S611
    return events.order_by().annotate(written=written)
