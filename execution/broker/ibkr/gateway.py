"""The process that owns one connection to TWS or IB Gateway.

Its main thread is the only one that writes the book. An order is committed to its order id before
it is written to the socket, and after that only the broker's lists say that it never arrived.
"""

import os
import queue
import socket
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

import structlog
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from deepstack.config import Config
from execution import prepared
from execution.broker import ib_library
from execution.domain.native import Native
from execution.models import BrokerAccount, IbkrGateway, IbkrInquiry, IbkrOrder
from execution.prepared import Param, Prepared, execute, save

from . import rules
from .book import Book, Wishes
from .codes import LINK_RESTORED
from .doorbell import Doorbell
from .link import Link
from .messages import (
    Answered,
    CancelNotSent,
    ErrorSeen,
    Left,
    LookBegan,
    LookEnded,
    Message,
    OpenSeen,
    Outgoing,
    Rung,
)
from .names import endpoint_of
from .pacing import Lane, Pacer
from .standing import Standing

log = structlog.get_logger(__name__)

S = IbkrOrder.Stage

LEASE = 0x4453  # class of the advisory lock whose number is made of the endpoint
IDLE = 0.25  # seconds between looks for work that nobody rang for
NOTE_EVERY = 0.5
TIDY_EVERY = 5.0
LOOK_GAP = 1.0  # seconds between two comparisons at least
MOST_AT_ONCE = 500
ORDERS_AT_ONCE = 4
AT_ONCE = 0.001  # seconds
# TWS tells of one execution in three messages, a moment apart: written together they cost one
# transaction and are booked once. So long is another message waited for, and all of them at most.
GATHER = 0.003  # seconds
GATHER_AT_MOST = 0.012

_INQUIRIES = Prepared[IbkrInquiry](
    lambda: IbkrInquiry.objects.filter(gateway=Param("gateway", 0), taken_wall__isnull=True)
)
_CANCELS = Prepared[IbkrOrder](
    lambda: IbkrOrder.objects.filter(
        Q(cancel_sent_wall__isnull=True) | Q(cancel_asked_wall__gt=F("cancel_sent_wall")),
        cancel_asked_wall__isnull=False,
        gateway=Param("gateway", 0),
    ).order_by("cancel_asked_wall")
)
_OLDEST = Prepared[IbkrOrder](
    lambda: (
        IbkrOrder.objects.select_for_update(skip_locked=True)
        .filter(gateway=Param("gateway", 0), stage=S.QUEUED, valid_until_wall__gt=Now())
        .order_by("pk")[:1]
    )
)
_NOTED = (
    "state", "detail", "process", "accounts", "clock_skew_seconds", "seen_wall", "heard_wall",
    "reconciled_wall",
)  # fmt: skip


class GatewayTaken(RuntimeError):
    """Another process owns this connection."""


class Gateway:
    """`run` until `stopping` is set; raises GatewayTaken when another process owns the endpoint.

    `tell` is given the client order ids of what has changed in the book, and must not wait.
    """

    def __init__(self, config: Config, tell: Callable[[Collection[str]], None]) -> None:
        self.stopping = False
        self._tell = tell
        self._settings = config.ibkr
        self._endpoint = endpoint_of(config)
        self._client_id = config.ibkr_client_id
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._unwritten: list[Message] = []
        self._standing = Standing()
        self._pacer = Pacer(config.ibkr.messages_per_second)
        address = (config.ibkr_host, config.ibkr_port, config.ibkr_client_id)
        self._link = Link(address, config.ibkr, self._pacer, self._inbox.put)
        self._doorbell = Doorbell(self._endpoint, lambda: self._inbox.put(Rung()))
        self._owned = False
        self._gap = True  # since the accounts were last compared, as far as this process knows
        self._noted: tuple[str, str] = ("", "")
        self._note_at = self._tidy_at = self._look_at = self._looked_at = 0.0
        self._serve_at = 0.0  # when to look for what the workers want; a ring brings it forward

    def run(self) -> None:
        self._own(patience=2.0)
        prepared.warm()
        self._row, _ = IbkrGateway.objects.get_or_create(endpoint=self._endpoint)
        self._book = Book(self._row, self._client_id, self._settings.grace_seconds)
        self._link.start()
        self._doorbell.start()
        log.info("gateway started", endpoint=self._endpoint, library=ib_library.NAME)
        try:
            while not self.stopping:
                self._turn()
        finally:
            self._doorbell.stop()
            self._link.stop()
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
                if isinstance(arrived[-1], Rung):
                    break  # a worker waits
                arrived.append(self._inbox.get(timeout=GATHER))
        except queue.Empty:
            pass
        return arrived

    def _understand(self, message: Message) -> None:
        """What needs no database."""
        if isinstance(message, Rung):
            self._serve_at = 0.0
            return
        if self._standing.hear(message):
            self._book.link_broken()
            self._gap = True
        match message:
            case Left():
                self._book.left(message.pk, message.at)
                self._serve_at = 0.0  # a cancel may have waited for it
            case LookEnded():
                self._serve_at = 0.0
            case LookBegan():
                self._looked_at = message.at
                self._look_at = message.at + self._settings.compare_seconds
            case OpenSeen() if message.client_id == self._client_id:
                seen = message.order_id + 1
                self._standing.next_valid_id = max(self._standing.next_valid_id, seen)
            case ErrorSeen() if message.code in LINK_RESTORED:
                self._link.look()
        self._unwritten.append(message)
        for warning in self._standing.warnings:
            log.warning("connection to TWS", warning=warning)
        self._standing.warnings.clear()

    def _write(self) -> None:
        """What has arrived goes into the book; a comparison's end sees all that came before it."""
        while self._unwritten:
            ends = (n for n, m in enumerate(self._unwritten) if isinstance(m, LookEnded))
            end = next(ends, len(self._unwritten))
            batch = self._unwritten[: end or 1]
            self._take(batch)
            del self._unwritten[: len(batch)]

    def _take(self, batch: Sequence[Message]) -> None:
        """What the database refuses for good is singled out by halves, and must not hold up all
        that comes after it."""
        try:
            self._wish(self._book.take(batch))
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
                IbkrOrder.objects.filter(pk=message.pk).update(cancel_sent_wall=None)

    def _wish(self, wishes: Wishes) -> None:
        self._tell(wishes.changed)
        if wishes.look:
            self._look_soon()
        for order_id in wishes.strays:
            if not self._pacer.take(Lane.CANCEL):
                self._link.cancel(0, order_id)

    def _look_soon(self, at: float = 0.0) -> None:
        self._look_at = min(self._look_at, max(at, self._looked_at + LOOK_GAP))

    def _send(self) -> None:
        if time.monotonic() >= self._serve_at:
            self._serve_at = time.monotonic() + self._serve()
        if (again := self._book.look_again_at()) is not None:
            self._look_soon(again)
        if self._standing.connected and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + self._settings.compare_seconds
            self._link.look()
        lost_at = self._standing.link_lost_at
        if lost_at and time.monotonic() - lost_at > self._settings.link_patience_seconds:
            self._link.reconnect("the link did not come back")

    def _serve(self) -> float:
        """Do what the workers want, cancels first; seconds until it is worth looking again."""
        self._inquire()
        wait = self._send_cancels() if self._standing.may_cancel else 0.0
        if not wait and self._standing.state == IbkrGateway.State.READY:
            wait = self._send_orders()
        return min(wait, IDLE) or IDLE

    def _send_cancels(self) -> float:
        """Seconds until there is room for the next one; 0 when all are sent."""
        for row in _CANCELS.all(gateway=self._row.pk):
            if self._book.is_leaving(row.pk):
                continue  # it must not overtake its order
            if row.stage in rules.AT_BROKER and row.order_id is not None:
                if wait := self._pacer.take(Lane.CANCEL):
                    return wait
                self._link.cancel(row.pk, row.order_id)
            # Sent first and noted second: a cancel that is sent twice does no harm.
            self._row.orders.filter(pk=row.pk).update(cancel_sent_wall=row.cancel_asked_wall)
        return 0.0

    def _send_orders(self) -> float:
        """Seconds until there is room for the next one; 0 when none is queued. A few at a time, so
        that a cancel need not wait for all."""
        for _ in range(ORDERS_AT_ONCE):
            if wait := self._pacer.take(Lane.PLACE):
                return wait
            outgoing = self._claim()
            if outgoing is None:
                self._pacer.give_back()
                return 0.0
            self._book.leaving(outgoing.pk)
            self._link.place(outgoing)
        return AT_ONCE

    def _claim(self) -> Outgoing | None:
        """Commit the oldest queued order to its order id; None when there is none."""
        with transaction.atomic():
            while row := _OLDEST.first(gateway=self._row.pk):
                account = self._standing.account(row.account)
                if account is None:
                    self._refuse_account(row)
                    continue
                if not _is_awaited(row):
                    self._withdraw(row)
                    continue
                row.order_id = order_id = row.order_id or self._next_order_id()
                row.stage, row.attempt, row.sent_wall = S.SENDING, row.attempt + 1, timezone.now()
                save(row, "stage", "order_id", "attempt", "sent_wall")
                return _outgoing(row, order_id, account)
        return None

    def _next_order_id(self) -> int:
        """Above all that were ever committed to: TWS gives out again an id that it never saw, and
        a late order under it would be taken for a change of the new one."""
        order_id = max(self._row.last_order_id + 1, self._standing.next_valid_id)
        save(IbkrGateway(pk=self._row.pk, last_order_id=order_id), "last_order_id")
        transaction.on_commit(lambda: setattr(self._row, "last_order_id", order_id))
        return order_id

    def _withdraw(self, row: IbkrOrder) -> None:
        self._row.orders.filter(pk=row.pk).update(
            stage=S.WITHDRAWN, text="its worker is gone", changed_wall=timezone.now()
        )

    def _refuse_account(self, row: IbkrOrder) -> None:
        allowed = ", ".join(self._standing.accounts)
        self._row.orders.filter(pk=row.pk).update(
            stage=S.REJECTED,
            code="ACCOUNT_UNKNOWN",
            text=f"account = {row.account!r}: this login has {allowed}"[:300],
            changed_wall=timezone.now(),
        )

    def _inquire(self) -> None:
        for asked in _INQUIRIES.all(gateway=self._row.pk):
            IbkrInquiry.objects.filter(pk=asked.pk).update(taken_wall=timezone.now())
            account = self._standing.account(asked.account)
            if asked.kind == IbkrInquiry.Kind.COMPARE:
                self._look_soon()
                asked.delete()
            elif account is None:
                problem = f"account = {asked.account!r}: not an account of this login"
                IbkrInquiry.objects.filter(pk=asked.pk).update(problem=problem)
            else:
                self._link.inquire(asked.pk, asked.kind, account)

    def _note(self) -> None:
        """Tell the workers how things stand, at once when that changed."""
        if self._gap:
            # The workers send nothing before they have compared their accounts again.
            BrokerAccount.objects.filter(broker="ibkr").update(due_wall=timezone.now())
            self._gap = False
        standing = self._standing
        now = (standing.state, standing.detail)
        if now == self._noted and time.monotonic() < self._note_at:
            return
        if now[0] != self._noted[0]:
            log.info("gateway", state=now[0], detail=now[1])
        self._noted, self._note_at = now, time.monotonic() + NOTE_EVERY
        row = self._row
        row.state, row.detail = now[0], now[1][:300]
        row.process = f"{socket.gethostname()}:{os.getpid()}"
        row.accounts, row.clock_skew_seconds = list(standing.accounts), standing.skew
        row.seen_wall, row.heard_wall = timezone.now(), standing.heard_wall
        row.reconciled_wall = standing.reconciled_wall
        save(row, *_NOTED)
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_EVERY
            self._tidy()

    def _tidy(self) -> None:
        self._row.orders.filter(stage=S.QUEUED, valid_until_wall__lte=Now()).update(
            stage=S.WITHDRAWN, text="nobody waited for it any more", changed_wall=timezone.now()
        )
        old = timezone.now() - timedelta(minutes=1)
        self._row.inquiries.filter(asked_wall__lt=old).delete()

    def _say_goodbye(self) -> None:
        try:
            IbkrGateway.objects.filter(pk=self._row.pk).update(
                state=IbkrGateway.State.DOWN, detail="stopped", process=""
            )
        except DatabaseError as error:
            log.warning("could not say that the gateway stops", error=str(error).strip())
        connection.close()


def _is_awaited(row: IbkrOrder) -> bool:
    """Whether the worker still waits. A halt waits for living workers only: what a dead one left
    behind must not leave after the halt."""
    alive = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
    return execute(alive, [row.waiter_pid]).fetchone() == (True,)


def _outgoing(row: IbkrOrder, order_id: int, account: str) -> Outgoing:
    return Outgoing(
        pk=row.pk,
        order_id=order_id,
        ref=row.client_order_id,
        account=account,
        symbol=row.symbol,
        side=row.side,
        quantity=row.quantity,
        limit_price=row.limit_price,
        outside_rth=row.extended_hours,
        native=Native.read(row.native) if row.native else None,
    )
