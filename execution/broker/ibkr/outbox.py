"""What the workers want of TWS: their questions, cancels and orders, taken from the rows that they
wrote."""

from collections.abc import Callable

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from deepstack.database.prepared_query import Param, Prepared, execute
from deepstack.database.unit_of_work import save
from execution.broker.ibkr import order_state
from execution.broker.ibkr.connection import Connection
from execution.broker.ibkr.connection_state import ConnectionState
from execution.broker.ibkr.ledger import Ledger
from execution.broker.ibkr.messages import Outgoing
from execution.broker.ibkr.rate_limit import Lane, Pacer
from execution.domain.algorithms.broker_native import Native
from execution.models import IbkrGateway, IbkrInquiry, IbkrOrder

S = IbkrOrder.Stage

ORDERS_AT_ONCE = 4
AT_ONCE = 0.001  # seconds
_INQUIRIES = Prepared[IbkrInquiry](
    lambda: IbkrInquiry.objects.filter(gateway=Param("gateway", 0), taken_at_real__isnull=True)
)
_CANCELS = Prepared[IbkrOrder](
    lambda: IbkrOrder.objects.filter(
        Q(cancel_sent_at_real__isnull=True) | Q(cancel_asked_at_real__gt=F("cancel_sent_at_real")),
        cancel_asked_at_real__isnull=False,
        gateway=Param("gateway", 0),
    ).order_by("cancel_asked_at_real")
)
_OLDEST = Prepared[IbkrOrder](
    lambda: (
        IbkrOrder.objects.select_for_update(skip_locked=True)
        .filter(gateway=Param("gateway", 0), stage=S.QUEUED, valid_until_real__gt=Now())
        .order_by("pk")[:1]
    )
)


class Outbox:
    """Used by the gateway's main thread. `refresh` has the ledger compared with the broker soon."""

    def __init__(
        self,
        row: IbkrGateway,
        ledger: Ledger,
        connection: Connection,
        pacer: Pacer,
        state: ConnectionState,
        refresh: Callable[[], None],
    ) -> None:
        self._row = row
        self._ledger = ledger
        self._connection = connection
        self._pacer = pacer
        self._state = state
        self._refresh = refresh

    def serve(self) -> float:
        """Do what the workers want, cancels first; seconds until it is worth looking again, 0 when
        nothing is left to do."""
        self._inquire()
        wait = self._send_cancels() if self._state.may_cancel else 0.0
        if not wait and self._state.state == IbkrGateway.State.READY:
            wait = self._send_orders()
        return wait

    def _send_cancels(self) -> float:
        """Seconds until there is room for the next one; 0 when all are sent."""
        for row in _CANCELS.all(gateway=self._row.pk):
            if self._ledger.is_leaving(row.pk):
                continue  # it must not overtake its order
            if row.stage in order_state.AT_BROKER and row.order_id is not None:
                if wait := self._pacer.take(Lane.CANCEL):
                    return wait
                self._connection.cancel(row.pk, row.order_id)
            # Sent first and noted second: a cancel that is sent twice does no harm.
            self._row.orders.filter(pk=row.pk).update(cancel_sent_at_real=row.cancel_asked_at_real)
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
            self._ledger.leaving(outgoing.pk)
            self._connection.place(outgoing)
        return AT_ONCE

    def _claim(self) -> Outgoing | None:
        """Commit the oldest queued order to its order id; None when there is none."""
        with transaction.atomic():
            while row := _OLDEST.first(gateway=self._row.pk):
                account = self._state.account(row.account)
                if account is None:
                    self._refuse_account(row)
                    continue
                if not _is_awaited(row):
                    self._withdraw(row)
                    continue
                row.order_id = order_id = row.order_id or self._next_order_id()
                row.stage, row.attempt, row.sent_at_real = (
                    S.SENDING,
                    row.attempt + 1,
                    timezone.now(),
                )
                save(row, "stage", "order_id", "attempt", "sent_at_real")
                return _outgoing(row, order_id, account)
        return None

    def _next_order_id(self) -> int:
        """Above all that were ever committed to: TWS gives out again an id that it never saw, and
        a late order under it would be taken for a change of the new one."""
        order_id = max(self._row.last_order_id + 1, self._state.next_valid_id)
        save(IbkrGateway(pk=self._row.pk, last_order_id=order_id), "last_order_id")
        transaction.on_commit(lambda: setattr(self._row, "last_order_id", order_id))
        return order_id

    def _withdraw(self, row: IbkrOrder) -> None:
        self._row.orders.filter(pk=row.pk).update(
            stage=S.WITHDRAWN, text="its worker is gone", changed_at_real=timezone.now()
        )

    def _refuse_account(self, row: IbkrOrder) -> None:
        allowed = ", ".join(self._state.accounts)
        self._row.orders.filter(pk=row.pk).update(
            stage=S.REJECTED,
            code="ACCOUNT_UNKNOWN",
            text=f"account = {row.account!r}: this login has {allowed}"[:300],
            changed_at_real=timezone.now(),
        )

    def _inquire(self) -> None:
        for asked in _INQUIRIES.all(gateway=self._row.pk):
            IbkrInquiry.objects.filter(pk=asked.pk).update(taken_at_real=timezone.now())
            account = self._state.account(asked.account)
            if asked.kind == IbkrInquiry.Kind.COMPARE:
                self._refresh()
                asked.delete()
            elif account is None:
                problem = f"account = {asked.account!r}: not an account of this login"
                IbkrInquiry.objects.filter(pk=asked.pk).update(problem=problem)
            else:
                self._connection.inquire(asked.pk, asked.kind, account)


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
        native=Native.from_json(row.native) if row.native else None,
    )
