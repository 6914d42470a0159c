"""The loop that feeds Redis with what comes inside the horizon, and repairs what got lost.

It only reads the database, enqueues ETA tasks and ends what the clock ends. Every broker call is a
worker's, but for cancels that no worker takes up: those have a lane of their own. Two may run; the
one that holds the leader's lock acts.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import KombuError as QueueError
from redis.exceptions import RedisError

from deepstack import redis_check
from deepstack.config import Scheduling
from deepstack.database.advisory_locks import LEADER, try_session_lock
from deepstack.database.prepared_query import NEVER, Param, Prepared
from deepstack.database.sessions import in_words, is_away
from execution import heartbeat, task_queue
from execution.booking import completion
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import (
    ORDER_LIVE,
    ORDER_SENDING,
    ORDER_TERMINAL,
    SLICE_AT_BROKER,
    SLICE_CLAIMABLE,
    OrderStatus,
    SliceStatus,
)
from execution.market import clock
from execution.models import BrokerCursor, Heartbeat, Order, OrderEvent, Slice
from execution.orders.locks import free_rows
from execution.risk import holds, kill_switch
from execution.sending.cancel_lane import CancelLane

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 2_000
# Of real time. Who accepts orders enqueues them once they are stored. Were the loop to do the same
# at once, most slices would be enqueued twice, and looked at twice by the workers. Many orders of
# one call take long to store: of them it enqueues at first only what is due soon.
HEAD_START = timedelta(seconds=1)
LONG_HEAD_START = timedelta(seconds=4)
SOON = timedelta(seconds=1)
# A question or a cancel that was enqueued is not enqueued again before this.
PATIENCE = timedelta(seconds=2)
LONGEST_WAIT = 1.0  # seconds, while a store is down
IDLE_TICK = 1.0  # seconds, while no order lives
SILENCE = timedelta(seconds=3)  # a leader that shows no life for this long is stood in for
_NOTHING_WORKS = [*ORDER_TERMINAL, OrderStatus.CANCELLING, OrderStatus.PAUSED]
IDLE_POLL_SECONDS = 5.0  # how often an account is asked about that has nothing at the broker


@dataclass(slots=True)
class Tick:
    """What one turn of the loop did."""

    fed: int = 0
    repaired: int = 0
    closed: int = 0
    expired: int = 0


@dataclass(slots=True)
class Dispatcher:
    """One loop. `now` is trading time; `sleep` and `wall` belong to the process."""

    scheduling: Scheduling
    now: Callable[[], datetime] = clock.now
    wall: Callable[[], datetime] = timezone.now
    sleep: Callable[[float], None] = time.sleep
    lane: CancelLane | None = None
    leads: bool = False
    stopping: bool = False
    _failures: int = 0
    _idle: bool = False
    _poll_after: float = 0.0
    _idle_poll_after: float = 0.0
    _trouble: str = ""
    _shown: tuple[str, str] = ("", "")
    _show_after: float = 0.0
    _redis: redis_check.Lookout = field(default_factory=redis_check.Lookout)

    def run(self) -> None:
        """Tick until `stopping`; waits while PostgreSQL or Redis are away, and goes on."""
        self._redis.start()
        while not self.stopping:
            started = time.monotonic()
            self.run_once()
            self.sleep(max(self._pause() - (time.monotonic() - started), 0.0))
        self._redis.end()

    def _pause(self) -> float:
        """Longer while nothing lives: who accepts an order enqueues what of it is due first."""
        tick = self.scheduling.tick_seconds
        if self._failures:
            return min(tick * 2.0 ** min(self._failures, 5), LONGEST_WAIT)
        return max(tick, IDLE_TICK) if self._idle else tick

    def run_once(self) -> None:
        """One turn if this loop is to act, and a sign of life; errors are logged, never raised."""
        self._show_life(self._turn())

    def _show_life(self, state: str) -> None:
        # A Redis that takes no tasks shows only when there is one to enqueue.
        redis = self._redis.trouble
        trouble = self._trouble or (f"Redis takes no tasks: {redis}" if redis else "")
        if (state, trouble) == self._shown and time.monotonic() < self._show_after:
            return
        self._shown, self._show_after = (state, trouble), time.monotonic() + heartbeat.EVERY
        facts: dict[str, object] = {"leads": self.leads, "state": state}
        if trouble:
            facts[heartbeat.TROUBLE] = trouble
        if not heartbeat.beat_quietly(Heartbeat.Kind.DISPATCH, facts):
            self.leads = False

    def _turn(self) -> str:
        self._trouble = error_text = ""
        try:
            self.leads = self.leads or try_session_lock(LEADER)
            acts = self.leads or self._leader_is_silent()
            if acts:
                self.tick()
            state = "leading" if self.leads else "standing in" if acts else "standing by"
        except (QueueError, RedisError) as error:
            self._trouble = f"Redis takes no tasks: {redis_check.in_words(error)}"
            state, error_text = "waiting for Redis", str(error).strip()
        except Error as error:
            # The lock lived on that connection: whoever has it now leads.
            self.leads = False
            connection.close()
            self._trouble = f"PostgreSQL: {in_words(error)}"
            state, error_text = "waiting for PostgreSQL", str(error).strip()
        except Exception as error:  # nothing else repairs what this loop repairs
            log.exception("dispatch failed")
            self._trouble = state = f"waiting after {type(error).__name__}"
            error_text = str(error)
        if self._trouble:
            log.warning("dispatch waits", state=state, why=self._trouble, error=error_text)
        elif self._failures:
            log.info("dispatch goes on", state=state)
        self._failures = self._failures + 1 if self._trouble else 0
        return state

    def _leader_is_silent(self) -> bool:
        """A frozen leader keeps its lock. Two that act do no harm; none that acts does."""
        leaders = Heartbeat.objects.filter(kind=Heartbeat.Kind.DISPATCH, detail__leads=True)
        return not leaders.filter(seen_at_real__gt=Now() - SILENCE).exists()

    def tick(self) -> Tick:
        """One turn; every part may be repeated at any time without harm.

        What time ends cannot be mended: it must be over by the database's clock, too. All else
        goes by that clock alone.
        """
        ahead = timedelta(seconds=heartbeat.clock_ahead())
        now, wall = self.now() - ahead * clock.speed(), self.wall() - ahead
        ended = min(self.now(), now)
        over = self._to_cancel(ended)
        if self.lane is not None:  # before anything that may fail by Redis
            self.lane.offer(over)
        done = Tick(
            fed=self._feed(now, wall),
            repaired=self._repair(wall),
            closed=self._close(over, wall),
        )
        for order_id in completion.overdue(ended):
            done.expired += self._expire(order_id, ended)
        self._poll_brokers()
        self._idle = not (_LIVE.all() or _AT_BROKER.all())
        return done

    def _expire(self, order_id: int, now: datetime) -> bool:
        try:
            completion.expire(order_id, at=now)
        except Exception as error:
            if is_away(error):
                raise
            # One order that nobody foresaw must not stop the loop for all others.
            log.exception("cannot expire", order_id=order_id)
            return False
        return True

    def _feed(self, now: datetime, wall: datetime) -> int:
        due = due_slices(now, wall, self.scheduling)
        if due:
            task_queue.enqueue_due(due)
        return len(due)

    def _repair(self, wall: datetime) -> int:
        open_questions = Q(status__in=SLICE_AT_BROKER, check_at_real__lte=wall)
        return self._enqueue(task_queue.RESOLVE, open_questions, wall)

    def _to_cancel(self, now: datetime) -> list[int]:
        ended = Q(end_at__lte=now) | Q(order__status__in=_NOTHING_WORKS) | holds.beyond_limit()
        over = Q(status=SliceStatus.WORKING) & ended | kill_switch.to_cancel()
        slices = Slice.objects.filter(over, status__in=SLICE_AT_BROKER)
        return list(slices.values_list("pk", flat=True)[:MOST_AT_ONCE])

    def _close(self, over: list[int], wall: datetime) -> int:
        if not over:
            return 0
        rested = Q(check_at_real__isnull=True) | Q(check_at_real__lte=wall)
        return self._enqueue(task_queue.CLOSE, Q(pk__in=over) & rested, wall)

    def _enqueue(self, task: str, condition: Q, wall: datetime) -> int:
        ids = list(
            Slice.objects.filter(condition, status__in=SLICE_AT_BROKER).values_list(
                "pk", flat=True
            )[:MOST_AT_ONCE]
        )
        if ids:
            task_queue.enqueue(task, ids)
            asked = Slice.objects.filter(pk__in=ids, status__in=SLICE_AT_BROKER)
            with transaction.atomic():
                free_rows(asked).update(check_at_real=wall + PATIENCE)
        return len(ids)

    def _poll_brokers(self) -> None:
        if time.monotonic() < self._poll_after:
            return
        self._poll_after = time.monotonic() + self.scheduling.poll_seconds
        working = Slice.objects.filter(status__in=SLICE_AT_BROKER)
        accounts = set(working.values_list("order__account", flat=True).distinct())
        if time.monotonic() >= self._idle_poll_after:
            # Executions and corrections come late, after every child has ended, too.
            self._idle_poll_after = time.monotonic() + IDLE_POLL_SECONDS
            accounts |= set(BrokerCursor.objects.values_list("account", flat=True))
        task_queue.poll_brokers(sorted(accounts))


_LIVE = Prepared[tuple[int]](
    lambda: Order.objects.filter(status__in=ORDER_LIVE).values_list("pk")[:1]
)
_AT_BROKER = Prepared[tuple[int]](
    lambda: Slice.objects.filter(status__in=SLICE_AT_BROKER).values_list("pk")[:1]
)


def due_slices(now: datetime, wall: datetime, scheduling: Scheduling) -> list[tuple[int, datetime]]:
    """(id, due) of the slices to enqueue, oldest first: inside the horizon and never enqueued,
    unless their order came just now, or overdue and still unclaimed although they were.

    The later a slice is, the rarer it is enqueued again, and not at all while the workers claim
    what was due at about the same time: where they are merely busy, tasks that they have already
    would make them busier. What a halt has put off waits for its end.
    """
    grace = timedelta(seconds=scheduling.overdue_grace_seconds)
    patience = ExpressionWrapper(
        Value(wall - grace * 2) - (Value(now) - F("due_at")) / (2 * clock.speed()),
        output_field=DateTimeField(),
    )
    stored = Q(order__created_at_real__lte=wall - HEAD_START) & Q(
        Q(due_at__lte=now + SOON * clock.speed())
        | Q(order__created_at_real__lte=wall - LONG_HEAD_START)
    )
    silent = Q(enqueued_at_real__isnull=True) & stored
    overdue_since = min(now - grace * clock.speed(), _passed(wall, grace) or now)
    lost = Q(due_at__lt=overdue_since, enqueued_at_real__lt=patience)
    rows = (
        Slice.objects.filter(
            silent | lost,
            status__in=SLICE_CLAIMABLE,
            order__status__in=ORDER_SENDING,
            due_at__lte=task_queue.horizon_end(now, scheduling.horizon_seconds),
        )
        .exclude(kill_switch.waiting())
        .order_by("due_at")
        .values_list("pk", "due_at")
    )
    return list(rows[:MOST_AT_ONCE])


def _passed(wall: datetime, grace: timedelta) -> datetime | None:
    """What was due before this and is unclaimed, the workers have passed over; None where none of
    them has claimed anything for a while."""
    last = _LAST_CLAIM.first(since=wall - grace)
    return None if last is None else last[0] - grace * clock.speed()


_LAST_CLAIM = Prepared[tuple[datetime]](
    lambda: (
        OrderEvent.objects.filter(
            kind=EventKind.SLICE_SENDING, recorded_at_real__gt=Param("since", NEVER)
        )
        .order_by("-recorded_at_real")
        .values_list("slice__due_at")[:1]
    )
)
