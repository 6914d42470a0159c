"""The process that owns one connection to TWS or IB Gateway.

Its main thread is the only one that writes the ledger. An order is committed to its order id before
it is written to the socket, and after that only the broker's lists say that it never arrived.
"""

import os
import queue
import socket
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Protocol

import structlog
from django.db import DatabaseError, DataError, IntegrityError, connection
from django.db.models.functions import Now
from django.utils import timezone

from deepstack.config import Config
from deepstack.database import prepared_query
from deepstack.database.unit_of_work import save
from execution.broker import links
from execution.broker.ibkr import client_library
from execution.broker.ibkr.connection import Connection
from execution.broker.ibkr.connection_state import ConnectionState, needed
from execution.broker.ibkr.endpoint import endpoint_of
from execution.broker.ibkr.error_codes import LINK_RESTORED
from execution.broker.ibkr.halted_ticks import HaltedSeen
from execution.broker.ibkr.ledger import FollowUps, Ledger
from execution.broker.ibkr.messages import (
    Answered,
    CancelNotSent,
    ErrorSeen,
    Left,
    Message,
    OpenSeen,
    RefreshBegan,
    RefreshEnded,
    Woken,
)
from execution.broker.ibkr.outbox import AT_ONCE, Outbox
from execution.broker.ibkr.rate_limit import Lane, Pacer
from execution.broker.ibkr.refresh_pace import GAP, RefreshPace
from execution.broker.ibkr.wakeup import WakeUps
from execution.models import BrokerAccount, IbkrGateway, IbkrInquiry, IbkrOrder

log = structlog.get_logger(__name__)

S = IbkrOrder.Stage

LEASE = 0x4453  # class of the advisory lock whose number is made of the endpoint
IDLE = 0.25  # seconds between two searches for work, without a wake-up
NOTE_EVERY = 0.5
TIDY_EVERY = 5.0
# Between two questions of which the first was left without an answer, at most: for what nothing is
# sent without, and for orders that have ended.
LONGEST_WAIT, LONGEST_WAIT_FOR_ENDED = 10.0, 60.0
MOST_AT_ONCE = 500
# TWS reports one execution in three messages, a moment apart: written together they cost one
# transaction and are booked once. So long is another message waited for, and all of them at most.
GATHER = 0.003  # seconds
GATHER_AT_MOST = 0.012

_NOTED = (
    "state", "detail", "process", "accounts", "clock_skew_seconds", "seen_at_real", "heard_at_real",
    "reconciled_at_real",
)  # fmt: skip


class GatewayTaken(RuntimeError):
    """Another process owns this connection."""


class Halts(Protocol):
    """Hears of trading halts; `hear` is called from the socket's thread and must not wait."""

    def start(self, watch: Callable[[Sequence[str]], None]) -> None: ...
    def stop(self) -> None: ...
    def hear(self, seen: HaltedSeen) -> None: ...


class Gateway:
    """`run` until `stopping` is set; raises GatewayTaken when another process owns the endpoint.

    `notify` is given the client order ids of what has changed in the ledger, and must not wait.
    """

    def __init__(
        self,
        config: Config,
        notify: Callable[[Collection[str]], None],
        halts: Halts | None = None,
    ) -> None:
        self.stopping = False
        self._notify = notify
        self._halts = halts
        self._settings = config.ibkr
        self._endpoint = endpoint_of(config)
        self._client_id = config.ibkr_client_id
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._unwritten: list[Message] = []
        self._state = ConnectionState()
        self._pacer = Pacer(config.ibkr.messages_per_second)
        address = (config.ibkr_host, config.ibkr_port, config.ibkr_client_id)
        hear: Callable[[HaltedSeen], None] = halts.hear if halts else _nobody
        self._connection = Connection(address, config.ibkr, self._pacer, self._inbox.put, hear)
        self._wake_ups = WakeUps(self._endpoint, lambda: self._inbox.put(Woken()))
        self._owned = False
        self._gap = True  # since the accounts were last compared, as far as this process knows
        self._unanswered = 0  # comparisons in a row that were not answered in full
        self._noted: tuple[str, str] = ("", "")
        self._note_at = self._tidy_at = 0.0
        self._pace = RefreshPace(config.ibkr.compare_seconds)
        self._serve_at = 0.0  # when to look for what the workers want; a wake-up brings it forward

    def run(self) -> None:
        self._own(patience=2.0)
        prepared_query.warm()
        self._row, _ = IbkrGateway.objects.get_or_create(endpoint=self._endpoint)
        self._ledger = Ledger(self._row, self._client_id, self._settings.grace_seconds)
        self._outbox = Outbox(
            self._row, self._ledger, self._connection, self._pacer, self._state, self._refresh_soon
        )
        self._connection.start()
        self._wake_ups.start()
        if self._halts:
            self._halts.start(self._connection.watch)
        log.info("gateway started", endpoint=self._endpoint, library=client_library.NAME)
        try:
            while not self.stopping:
                self._turn()
        finally:
            if self._halts:
                self._halts.stop()
            self._wake_ups.stop()
            self._connection.stop()
            self._say_goodbye()

    def _own(self, patience: float = 0.0) -> None:
        """The lease: a lock that lives and dies with this database connection."""
        until = time.monotonic() + patience
        number = zlib.crc32(self._endpoint.encode()) - 2**31
        while True:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LEASE, number])
                if cursor.fetchone() == (True,):
                    self._owned = True
                    return
            if time.monotonic() >= until:
                raise GatewayTaken(self._taken())
            time.sleep(0.2)

    def _taken(self) -> str:
        row = IbkrGateway.objects.filter(endpoint=self._endpoint).first()
        owner = f"process {row.process}" if row and row.process else "another process"
        return (
            f"{self._endpoint} is already served by {owner}: stop that one first, or give this one"
            " an IBKR_CLIENT_ID of its own"
        )

    def _turn(self) -> None:
        for message in self._arrivals():
            self._understand(message)
        try:
            if not self._owned:
                self._own()
            self._write()
            self._send()
            self._note()
        except DatabaseError as error:
            # The lease went with the connection; what has arrived is kept and written later.
            log.error("no database", error=str(error).strip(), unwritten=len(self._unwritten))
            self._owned = False
            connection.close()
            time.sleep(IDLE)

    def _arrivals(self) -> list[Message]:
        arrived: list[Message] = []
        try:
            patience = min(max(self._serve_at - time.monotonic(), AT_ONCE), IDLE)
            arrived.append(self._inbox.get(timeout=patience))
            until = time.monotonic() + GATHER_AT_MOST
            while len(arrived) < MOST_AT_ONCE and time.monotonic() < until:
                if isinstance(arrived[-1], Woken):
                    break  # a worker waits
                arrived.append(self._inbox.get(timeout=GATHER))
        except queue.Empty:
            pass
        return arrived

    def _understand(self, message: Message) -> None:
        """What needs no database."""
        if isinstance(message, Woken):
            self._serve_at = 0.0
            return
        if self._state.note(message):
            self._ledger.link_broken()
            self._pace.lost()
            self._gap = True
        match message:
            case Left():
                self._ledger.left(message.pk, message.at)
                self._serve_at = 0.0  # a cancel may have waited for it
            case RefreshEnded():
                self._serve_at = 0.0
                answered = not message.unanswered
                self._pace.ended(message.began, time.monotonic(), answered=answered)
                self._ask_again(message.unanswered)
            case RefreshBegan():
                self._pace.began(message.at)
            case OpenSeen() if message.client_id == self._client_id:
                seen = message.order_id + 1
                self._state.next_valid_id = max(self._state.next_valid_id, seen)
            case ErrorSeen() if message.code in LINK_RESTORED:
                self._connection.refresh()
        self._unwritten.append(message)
        for warning in self._state.warnings:
            log.warning("connection to TWS", warning=warning)
        self._state.warnings.clear()

    def _write(self) -> None:
        """What has arrived goes into the ledger; a refresh's end sees all that came before it."""
        while self._unwritten:
            ends = (n for n, m in enumerate(self._unwritten) if isinstance(m, RefreshEnded))
            end = next(ends, len(self._unwritten))
            batch = self._unwritten[: end or 1]
            self._take(batch)
            del self._unwritten[: len(batch)]

    def _take(self, batch: Sequence[Message]) -> None:
        """What the database refuses for good is singled out by halves, and must not hold up all
        that comes after it."""
        try:
            self._act_on(self._ledger.take(batch))
            self._settle(batch)
        except (IntegrityError, DataError) as error:
            if len(batch) == 1:
                log.critical("cannot be booked", message=str(batch[0]), error=str(error).strip())
                return
            half = len(batch) // 2
            self._take(batch[:half])
            self._take(batch[half:])

    def _settle(self, batch: Sequence[Message]) -> None:
        for message in batch:
            if isinstance(message, Answered):
                IbkrInquiry.objects.filter(pk=message.pk).update(
                    answer=message.answer, problem=message.problem[:300]
                )
            elif isinstance(message, CancelNotSent):
                IbkrOrder.objects.filter(pk=message.pk).update(cancel_sent_at_real=None)

    def _act_on(self, follow_ups: FollowUps) -> None:
        self._notify(follow_ups.changed)
        if follow_ups.refresh:
            self._refresh_soon()
        for order_id in follow_ups.strays:
            if not self._pacer.take(Lane.CANCEL):
                self._connection.cancel(0, order_id)

    def _refresh_soon(self) -> None:
        self._pace.want(time.monotonic())

    def _ask_again(self, unanswered: Collection[str]) -> None:
        """A question that TWS left without an answer is put again, ever more seldom."""
        self._unanswered = self._unanswered + 1 if unanswered else 0
        if unanswered:
            longest = LONGEST_WAIT if needed(unanswered) else LONGEST_WAIT_FOR_ENDED
            wait = min(GAP * 2.0 ** (self._unanswered - 1), longest)
            self._pace.want(time.monotonic() + wait)

    def _send(self) -> None:
        if time.monotonic() >= self._serve_at:
            wait = self._outbox.serve()
            self._serve_at = time.monotonic() + (min(wait, IDLE) or IDLE)
        if (again := self._ledger.refresh_again_at()) is not None:
            self._pace.want(again)
        if self._state.connected and self._pace.due(time.monotonic()):
            self._connection.refresh()
        lost_at = self._state.link_lost_at
        if lost_at and time.monotonic() - lost_at > self._settings.link_patience_seconds:
            self._connection.reconnect("the link did not come back")

    def _note(self) -> None:
        """Tell the workers how things stand, at once when that changed."""
        if self._gap:
            # The workers send nothing before they have compared their accounts again.
            BrokerAccount.objects.filter(broker="ibkr").update(due_at_real=timezone.now())
            self._gap = False
        state = self._state
        now = (state.state, state.detail)
        if now == self._noted and time.monotonic() < self._note_at:
            return
        if now[0] != self._noted[0]:
            log.info("gateway", state=now[0], detail=now[1])
        self._noted, self._note_at = now, time.monotonic() + NOTE_EVERY
        row = self._row
        row.state, row.detail = now[0], now[1][:300]
        row.process = f"{socket.gethostname()}:{os.getpid()}"
        row.accounts, row.clock_skew_seconds = list(state.accounts), state.skew
        row.seen_at_real, row.heard_at_real = timezone.now(), state.heard_at_real
        row.reconciled_at_real = state.reconciled_at_real
        save(row, *_NOTED)
        links.note("ibkr", self._endpoint, reason=state.trouble)
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_EVERY
            self._tidy()

    def _tidy(self) -> None:
        self._row.orders.filter(stage=S.QUEUED, valid_until_real__lte=Now()).update(
            stage=S.WITHDRAWN, text="nobody waited for it any more", changed_at_real=timezone.now()
        )
        old = timezone.now() - timedelta(minutes=1)
        self._row.inquiries.filter(asked_at_real__lt=old).delete()

    def _say_goodbye(self) -> None:
        try:
            IbkrGateway.objects.filter(pk=self._row.pk).update(
                state=IbkrGateway.State.DOWN, detail="stopped", process=""
            )
            reason = "the gateway was stopped: start `manage.py ibkr_gateway`"
            links.note("ibkr", self._endpoint, reason=reason)
        except DatabaseError as error:
            log.warning("could not say that the gateway stops", error=str(error).strip())
        connection.close()


def _nobody(seen: HaltedSeen) -> None:
    pass
