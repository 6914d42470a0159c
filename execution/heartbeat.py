"""Signs of life, so that a caller knows at once whether anybody will work, and what is amiss.

They are dated by the database's clock, the one that all processes share: a process whose own clock
is wrong is alive all the same, and says by how much it is wrong.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from deepstack.database.prepared_query import Param, Prepared
from deepstack.database.sessions import in_words
from execution.models import Heartbeat

log = structlog.get_logger(__name__)

EVERY = 1.0  # seconds
DEAD_AFTER = timedelta(seconds=5)
# Slices leave so much early or late where a clock is wrong; less than this is not reported.
WRONG_CLOCK_SECONDS = 1.0
# Who is further off than this sends nothing: slices would leave, or be given up, at any time.
FAR_OFF_SECONDS = 10.0
TROUBLE, TROUBLE_SECONDS, AHEAD = "trouble", "trouble_seconds", "clock_ahead_seconds"
_BEAT = (
    f"INSERT INTO {Heartbeat._meta.db_table} (kind, process, detail, started_at_real, seen_at_real)"  # noqa: S608
    " VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp())"
    " ON CONFLICT (kind, process) DO UPDATE"
    " SET detail = EXCLUDED.detail, seen_at_real = clock_timestamp() RETURNING seen_at_real"
)


@dataclass(slots=True)
class _Own:
    """Of this process: how many seconds its clock is ahead of the database's, as last measured,
    and since when (monotonic) it is in trouble."""

    ahead: float = 0.0
    trouble_since: float | None = None


_own = _Own()


@dataclass(frozen=True, slots=True)
class WrongClock:
    """A process whose clock is `ahead` so many seconds of the database's, behind where negative."""

    kind: str
    process: str
    ahead: float

    def __str__(self) -> str:
        where = "ahead of" if self.ahead > 0 else "behind"
        return (
            f"the clock of {self.kind.lower()} {self.process} is {abs(self.ahead):.1f} s {where}"
            " the database's"
        )


def own_name() -> str:
    """host:pid"""
    return f"{socket.gethostname()}:{os.getpid()}"


def beat(kind: str, detail: Mapping[str, object] | None = None) -> None:
    """Say that this process is alive; `detail` may name its TROUBLE, in words."""
    before = _own.ahead
    _beat(kind, dict(detail or {}))
    if abs(before - _own.ahead) > WRONG_CLOCK_SECONDS / 2:
        _beat(kind, dict(detail or {}))


def _beat(kind: str, detail: dict[str, object]) -> None:
    if not detail.get(TROUBLE):
        _own.trouble_since = None
    else:
        _own.trouble_since = _own.trouble_since or time.monotonic()
        detail[TROUBLE_SECONDS] = round(time.monotonic() - _own.trouble_since, 1)
    if abs(_own.ahead) >= WRONG_CLOCK_SECONDS:
        detail[AHEAD] = round(_own.ahead, 1)
    connection.ensure_connection()  # which may take longer than the clocks are apart
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_BEAT, [kind, own_name(), json.dumps(detail)])
        row: tuple[datetime] = cursor.fetchone()
    _own.ahead = ahead_of(row[0], before=before, after=timezone.now())


def ahead_of(theirs: datetime, *, before: datetime, after: datetime) -> float:
    """Seconds that our clock is ahead of another that showed `theirs` at some moment between our
    `before` and `after`; zero as far as the time between the two explains it."""
    if before > theirs:
        return (before - theirs).total_seconds()
    return min((after - theirs).total_seconds(), 0.0)


def clock_ahead() -> float:
    """Seconds that our clock is ahead of the database's just now, behind it where negative; zero
    for less than is reported."""
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row: tuple[datetime] = cursor.fetchone()
    ahead = ahead_of(row[0], before=before, after=timezone.now())
    return ahead if abs(ahead) >= WRONG_CLOCK_SECONDS else 0.0


def beat_quietly(kind: str, detail: Mapping[str, object] | None = None) -> bool:
    """A sign of life that may fail: without the database the process cannot be seen anyway.

    False when it failed and the connection, with all locks of its session, was closed.
    """
    try:
        beat(kind, detail)
    except Error as error:
        connection.close()
        log.warning(
            "no heartbeat: PostgreSQL takes no write", why=in_words(error), error=str(error).strip()
        )
        return False
    return True


def seen_lately(kind: str | None = None) -> QuerySet[Heartbeat]:
    """The rows of the living processes, of one kind or of all."""
    alive = Heartbeat.objects.filter(seen_at_real__gt=Now() - DEAD_AFTER)
    return alive if kind is None else alive.filter(kind=kind)


def alive(kind: str) -> int:
    """How many processes of a kind were seen lately."""
    return seen_lately(kind).count()


def last_seen(kind: str) -> str:
    """Which process of the kind showed life last, and how long ago; to be a part of a sentence."""
    ago = ExpressionWrapper(Now() - F("seen_at_real"), output_field=DurationField())
    row = Heartbeat.objects.filter(kind=kind).annotate(ago=ago).order_by("ago").first()
    if row is None:
        return ""
    return f" (the last, {row.process}, showed life {row.ago.total_seconds():,.0f} s ago)"


_DETAILS = Prepared[tuple[str, dict[str, object]]](
    lambda: (
        seen_lately()
        .filter(kind=Param("kind", ""))
        .order_by("process")
        .values_list("process", "detail")
    )
)


def troubles(kind: str) -> tuple[int, list[str]]:
    """How many living processes of a kind can do their work, and what each of the others says."""
    rows = _DETAILS.all(kind=kind)
    words = [f"{process}: {detail[TROUBLE]}" for process, detail in rows if detail.get(TROUBLE)]
    return len(rows) - len(words), words


def wrong_clocks(kind: str | None = None) -> list[WrongClock]:
    """Of the living processes."""
    rows = seen_lately(kind).filter(detail__has_key=AHEAD).order_by("kind", "process")
    return [WrongClock(row.kind, row.process, float(row.detail[AHEAD])) for row in rows]


def keep_beating(kind: str, trouble: Callable[[], str] = str) -> threading.Event:
    """Beat from a thread of its own until the returned event is set; `trouble` says why the
    process cannot do its work, or nothing."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(EVERY):
            beat_quietly(kind, _problem(trouble()))
        connection.close()

    beat_quietly(kind, _problem(trouble()))
    threading.Thread(target=loop, name="heartbeat", daemon=True).start()
    return stop


def _problem(trouble: str) -> dict[str, object]:
    return {TROUBLE: trouble} if trouble else {}
