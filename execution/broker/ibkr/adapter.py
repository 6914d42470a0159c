"""The broker as the workers use it: every call is a few database rows and a bounded wait."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from deepstack import django_setup
from deepstack.config import Config
from execution.broker.base import (
    DOLLARS,
    AccountState,
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    DuplicateOrder,
    OpenOrder,
    OutcomeUnknown,
    Ticket,
)
from execution.domain.exchange_time import exchange_time

django_setup.ensure()

from execution.broker.connection_check import Finding  # noqa: E402
from execution.broker.ibkr import account_check, order_reports, wakeup  # noqa: E402
from execution.broker.ibkr.endpoint import ONLY_ONE, endpoint_of  # noqa: E402
from execution.domain.algorithms.broker_native import NATIVES  # noqa: E402
from execution.models import IbkrGateway, IbkrInquiry, IbkrOrder  # noqa: E402

S = IbkrOrder.Stage

# Nothing of this order is at the broker, so its id may be sent again.
_SENDABLE = (S.WITHDRAWN, S.ABSENT)
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.05  # seconds between two looks at a row


class InteractiveBrokers:
    """Speaks to the gateway process of the configured host, port and client id.

    The broker does not refuse an id that was used before; the row of the order does.
    """

    name = "ibkr"
    natives = frozenset(NATIVES)

    def __init__(self, config: Config) -> None:
        self._config = config
        self._settings = config.ibkr
        self._endpoint = endpoint_of(config)

    @property
    def address(self) -> str:
        return self._endpoint

    @property
    def trial(self) -> bool:
        """Whether no money can be lost: the gateway is connected now, to paper accounts alone."""
        try:
            accounts = self._gateway().accounts
        except BrokerUnavailable:
            return False
        return bool(accounts) and all(map(account_check.is_paper, accounts))

    def accounts(self) -> Sequence[str]:
        try:
            codes = self._gateway(ready=False).accounts
        except BrokerUnavailable:
            return ()
        return (*codes, ONLY_ONE) if len(codes) == 1 else tuple(codes)

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        """Queue the order and wait for what TWS says of it.

        BrokerUnavailable: the gateway did not take it up and it is withdrawn. OutcomeUnknown: it
        was written to the socket, or may have been, and TWS has said nothing in time.
        """
        gateway = self._gateway()
        if self._known(ticket.client_order_id):
            raise DuplicateOrder(ticket.client_order_id)
        pk = self._queue(ticket, gateway)
        wakeup.wake(self._endpoint)
        return self._outcome(pk)

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        """Ask for it and wait until the gateway has sent it; an order that has ended stays so.
        Raises BrokerRejected UNKNOWN_ORDER, or BrokerUnavailable when it is not sent
        yet: it stands, and is sent as soon as that can be.
        """
        row = IbkrOrder.objects.filter(client_order_id=client_order_id).first()
        if row is None:
            raise BrokerRejected("UNKNOWN_ORDER", f"no order {client_order_id}")
        if row.stage == S.QUEUED and self._withdraw(row.pk, "cancelled before it was sent"):
            return
        IbkrOrder.objects.filter(pk=row.pk).update(cancel_asked_at_real=Now())
        wakeup.wake(self._endpoint)
        self._gateway()
        deadline = time.monotonic() + self._settings.pick_up_seconds
        unsent = IbkrOrder.objects.filter(pk=row.pk, cancel_sent_at_real=None)
        outdated = IbkrOrder.objects.filter(
            pk=row.pk, cancel_asked_at_real__gt=F("cancel_sent_at_real")
        )
        _wait(lambda: not (unsent | outdated).exists(), deadline, "the cancel is not sent yet")

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        """By the gateway's ledger, which is believed while the gateway is connected, has compared
        it with the broker, and TWS answers."""
        self._gateway()
        row = IbkrOrder.objects.filter(client_order_id=client_order_id).first()
        if row is None or row.stage in _SENDABLE:
            return None
        if row.stage == S.QUEUED:
            if self._withdraw(row.pk, "its worker is gone"):
                return None
            raise OutcomeUnknown(f"{client_order_id} is being sent")
        if row.stage not in order_reports.STATUS:
            self._compare(row.gateway)
            raise OutcomeUnknown(f"{client_order_id} is {row.stage}: {row.text}".strip(": "))
        (seen,) = order_reports.answers([row])
        if seen.filled_quantity > sum(execution.quantity for execution in seen.executions):
            self._compare(row.gateway)  # executions that were announced and never came
        return seen

    def never_arrived(self, client_order_id: str) -> bool:
        """By the gateway's ledger: nothing left it, or two comparisons did not show the order. An
        order is queued on the database connection that holds its sender's lock, as in paper."""
        return not self._known(client_order_id)

    def reports(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        """A change is seen when it is committed, a moment after its stamp: ask with an overlap."""
        self._gateway()
        changed = IbkrOrder.objects.filter(
            account=account, changed_at_real__gte=since, stage__in=list(order_reports.STATUS)
        )
        return order_reports.answers(list(changed.order_by("pk")))

    def account_state(self, account: str, *, now: datetime) -> AccountState:
        answer = self._ask(IbkrInquiry.Kind.ACCOUNT, account)
        return AccountState(
            account=account,
            at=timezone.now() + timedelta(seconds=answer["skew"]),
            cash=Decimal(answer["cash"]),
            buying_power=Decimal(answer["buying_power"]),
            positions=answer["positions"],
            # A gateway of the release before does not say.
            currency=answer.get("currency", DOLLARS),
        )

    def open_orders(self, account: str, *, now: datetime) -> Sequence[OpenOrder]:
        """Has the gateway compare its ledger, too, so that both say the same a moment later."""
        self._compare(self._gateway(ready=False))
        return [OpenOrder(**each) for each in self._ask(IbkrInquiry.Kind.OPEN_ORDERS, account)]

    def examine(self) -> Iterator[Finding]:
        """What this login allows, and how the gateway stands."""
        return account_check.findings(self._gateway(ready=False), self._config)

    def _gateway(self, *, ready: bool = True) -> IbkrGateway:
        """The gateway's row; raises BrokerUnavailable unless it can be believed now."""
        gateway = IbkrGateway.objects.filter(endpoint=self._endpoint).first()
        if gateway is None or gateway.seen_at_real is None:
            raise BrokerUnavailable(
                f"no gateway has ever served {self._endpoint}: start `manage.py ibkr_gateway`"
            )
        oldest = timezone.now() - timedelta(seconds=self._settings.fresh_seconds)
        if gateway.seen_at_real < oldest:
            raise BrokerUnavailable(
                f"the gateway of {self._endpoint} was last seen at"
                f" {exchange_time(gateway.seen_at_real)}: start `manage.py ibkr_gateway`"
            )
        if ready and gateway.state != IbkrGateway.State.READY:
            raise BrokerUnavailable(f"the gateway is {gateway.state}: {gateway.detail}")
        if gateway.heard_at_real is None or gateway.heard_at_real < oldest:
            raise BrokerUnavailable("TWS does not answer")
        return gateway

    def _known(self, client_order_id: str) -> bool:
        known = IbkrOrder.objects.filter(client_order_id=client_order_id)
        return known.exclude(stage__in=_SENDABLE).exists()

    def _queue(self, ticket: Ticket, gateway: IbkrGateway) -> int:
        fields: dict[str, Any] = {
            "account": ticket.account,
            "symbol": ticket.symbol,
            "side": ticket.side,
            "quantity": ticket.quantity,
            "limit_price": ticket.limit_price,
            "extended_hours": ticket.extended_hours,
            "native": ticket.native.as_json() if ticket.native else None,
            "stage": S.QUEUED,
            "valid_until_real": Now() + timedelta(seconds=self._settings.pick_up_seconds),
            "waiter_pid": _session(),
            "changed_at_real": Now(),
        }
        again = {"code": "", "text": "", "cancel_asked_at_real": None, "cancel_sent_at_real": None}
        same = IbkrOrder.objects.filter(gateway=gateway, client_order_id=ticket.client_order_id)
        if same.filter(stage__in=_SENDABLE).update(**fields, **again):
            return same.values_list("pk", flat=True).get()
        try:
            with transaction.atomic(durable=True):
                return IbkrOrder.objects.create(
                    gateway=gateway, client_order_id=ticket.client_order_id, **fields
                ).pk
        except IntegrityError:
            if self._known(ticket.client_order_id):
                raise DuplicateOrder(ticket.client_order_id) from None
            raise

    def _outcome(self, pk: int) -> BrokerOrder:
        """What became of a queued order; its deadline starts anew when it is taken up."""
        deadline = time.monotonic() + self._settings.pick_up_seconds
        taken = False
        pause = FIRST_PAUSE
        while True:
            row = IbkrOrder.objects.get(pk=pk)
            if row.stage not in (S.QUEUED, S.SENDING):
                return _settled(row)
            if row.stage == S.SENDING and not taken:
                taken, deadline = True, time.monotonic() + self._settings.answer_seconds
            if time.monotonic() > deadline:
                if row.stage == S.SENDING:
                    raise OutcomeUnknown(f"TWS has not answered order id {row.order_id}")
                if self._withdraw(pk, "the gateway did not take it up in time"):
                    raise BrokerUnavailable("the gateway did not take the order up in time")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _withdraw(self, pk: int, why: str) -> bool:
        """Whether it was still queued, and now never leaves."""
        queued = IbkrOrder.objects.filter(pk=pk, stage=S.QUEUED)
        return bool(queued.update(stage=S.WITHDRAWN, text=why, changed_at_real=Now()))

    def _compare(self, gateway: IbkrGateway) -> None:
        wanted = {"gateway": gateway, "kind": IbkrInquiry.Kind.COMPARE, "taken_at_real": None}
        if not IbkrInquiry.objects.filter(**wanted).exists():
            IbkrInquiry.objects.create(**wanted)
            wakeup.wake(self._endpoint)

    def _ask(self, kind: str, account: str) -> Any:
        gateway = self._gateway(ready=False)
        asked = IbkrInquiry.objects.create(gateway=gateway, kind=kind, account=account)
        wakeup.wake(self._endpoint)
        deadline = time.monotonic() + 2 * self._settings.request_seconds

        def answered() -> bool:
            asked.refresh_from_db()
            return asked.answer is not None or bool(asked.problem)

        try:
            _wait(answered, deadline, "TWS has not answered")
        finally:
            IbkrInquiry.objects.filter(pk=asked.pk).delete()
        if asked.problem:
            raise BrokerUnavailable(asked.problem)
        return asked.answer


def _session() -> int:
    """The server's number of this thread's database session."""
    connection.ensure_connection()
    pid: int = connection.connection.info.backend_pid
    return pid


def _settled(row: IbkrOrder) -> BrokerOrder:
    if row.stage == S.REJECTED and not row.executions.exists():
        raise BrokerRejected(row.code, row.text)
    if row.stage in _SENDABLE:
        raise BrokerUnavailable(row.text or "it never arrived at the broker")
    if row.stage not in order_reports.STATUS:
        raise OutcomeUnknown(f"{row.client_order_id} is {row.stage}: {row.text}")
    (seen,) = order_reports.answers([row])
    return seen


def _wait(condition: Callable[[], bool], deadline: float, what: str) -> None:
    """Raises BrokerUnavailable when the deadline (monotonic) is over."""
    pause = FIRST_PAUSE
    while not condition():
        if time.monotonic() > deadline:
            raise BrokerUnavailable(what)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
