"""The process that listens to Alpaca's trade updates: connected, watched, caught up after gaps."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection
from django.utils import timezone

from deepstack.database.advisory_locks import POLL, UPDATES, try_session_lock, unlock_session
from execution import heartbeat
from execution.booking import broker_feed
from execution.broker import links
from execution.broker.alpaca.adapter import AlpacaBroker
from execution.broker.alpaca.link_watch import LinkWatch
from execution.broker.alpaca.stream import Updates
from execution.context import Context
from execution.listeners.alpaca_updates import UpdateBooking
from execution.models import BrokerAccount, BrokerCursor, Fill, Heartbeat

log = structlog.get_logger(__name__)

TURN = 1.0  # seconds between two looks at the whole
# An execution booked so long ago, by whoever asked, of which the stream has said nothing.
MUTE_AFTER = timedelta(seconds=5)
MUTE_WINDOW = timedelta(minutes=1)


class Listener:
    """Two may run; the one that holds the lock listens, since Alpaca allows one connection."""

    def __init__(self, context: Context, sleep: Callable[[float], None] = time.sleep) -> None:
        broker = context.broker.broker
        if not isinstance(broker, AlpacaBroker):
            raise TypeError(f"the broker is {broker.name!r}, not Alpaca")
        self._context = context
        self._account = broker.account
        self._sleep = sleep
        self._booking = UpdateBooking(broker, context)
        self._stream = Updates(
            context.config, self._booking.receive, self._note_listening, self._note_lost
        )
        self._listening_since: datetime | None = None
        self._lost_at: datetime | None = timezone.now()
        self._gap_until: datetime | None = None
        self._noted_gap: datetime | None = None
        self._watch = LinkWatch(
            broker.http,
            broker.budget,
            links.address_of(context.config),
            lambda: self._lost_at,
        )
        self.stopping = False

    def run(self) -> None:
        """Listen until `stopping`; returns early when the lock or the stream's thread is gone, to
        be started anew."""
        if not self._take_lead():
            return
        self._booking.start()
        self._stream.thread.start()
        self._lost_at = timezone.now()
        self._watch.start()
        log.info("listening to trade updates", account=self._account)
        try:
            while not self.stopping and self._turn():
                self._sleep(TURN)
        finally:
            self._watch.end()
            self._stream.thread.end()
            self._booking.end()

    def _take_lead(self) -> bool:
        while not self.stopping:
            if try_session_lock(UPDATES):
                return True
            self._beat("standing by")
            self._sleep(TURN)
        return False

    def _turn(self) -> bool:
        """One look at the whole; False when the database, and the lock with it, went away, or the
        stream's thread did."""
        try:
            self._close_gap()
            if self._is_mute():
                log.warning("the stream reports no executions: connecting anew")
                self._stream.thread.connect_anew()
            state = "listening" if self._listening_since else "connecting"
            return self._beat(state) and self._stream.thread.alive
        except Error as error:
            connection.close()
            log.warning("listening ends without PostgreSQL", error=str(error).strip())
            return False

    def _beat(self, state: str) -> bool:
        return heartbeat.beat_quietly(Heartbeat.Kind.LISTENER, {"state": state})

    def _note_listening(self) -> None:
        self._listening_since = self._gap_until = timezone.now()
        self._lost_at = None
        log.info("trade updates are on; what happened before is read from the account")

    def _note_lost(self) -> None:
        self._listening_since = None
        self._lost_at = self._lost_at or timezone.now()

    def _close_gap(self) -> None:
        """Have the broker polled up to the moment from which the stream reports, by any process."""
        until = self._gap_until
        if until is None:
            return
        if until != self._noted_gap:
            self._note_gap(until)
        cursors = BrokerCursor.objects.filter(
            broker=self._context.broker.name, account=self._account, heard_until__gte=until
        )
        if cursors.exists():
            self._gap_until = None if self._gap_until == until else self._gap_until
        elif try_session_lock(POLL):
            try:
                broker_feed.poll(self._account, self._context)
            finally:
                unlock_session(POLL)

    def _note_gap(self, until: datetime) -> None:
        """No child leaves before the account was compared again."""
        rows = BrokerAccount.objects.filter(broker=self._context.broker.name, account=self._account)
        rows.update(due_at_real=until)
        self._noted_gap = until

    def _is_mute(self) -> bool:
        """Whether executions were booked for a while that the stream should have reported."""
        since, now = self._listening_since, timezone.now()
        if since is None:
            return False
        booked = Fill.objects.filter(
            broker=self._context.broker.name,
            executed_at__gt=since + MUTE_AFTER,
            recorded_at_real__gt=now - MUTE_WINDOW,
            recorded_at_real__lt=now - MUTE_AFTER,
        ).values_list("slice__client_order_id", flat=True)
        return any(not self._booking.has_received(order_id) for order_id in booked.distinct())
