"""The gateway's ledger: what TWS sent, written to the database in the order of its arrival."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from deepstack.database.prepared_query import IsAny, Param, Prepared
from deepstack.database.unit_of_work import insert, save
from execution.broker.ibkr import order_state
from execution.broker.ibkr.messages import (
    CommissionSeen,
    CompletedSeen,
    ErrorSeen,
    ExecutionSeen,
    Message,
    NotSent,
    OpenSeen,
    RefreshBegan,
    RefreshEnded,
    StatusSeen,
)
from execution.broker.ibkr.order_reports import executed, executions_of
from execution.broker.ibkr.order_state import Next
from execution.models import IbkrExecution, IbkrGateway, IbkrOrder

log = structlog.get_logger(__name__)

_COLUMNS = [
    "stage", "order_id", "perm_id", "broker_status", "reported_filled", "code", "text",
    "changed_at_real",
]  # fmt: skip


@dataclass(slots=True)
class FollowUps:
    """What the messages ask the gateway to do."""

    refresh: bool = False
    strays: list[int] = field(default_factory=list)  # order ids to cancel
    changed: set[str] = field(default_factory=set)  # client order ids


@dataclass(slots=True)
class Refresh:
    """One comparison with the broker: whom it has shown since it began."""

    began: float
    refs: set[str] = field(default_factory=set)
    perm_ids: set[int] = field(default_factory=set)

    def shows(self, row: IbkrOrder) -> bool:
        return row.client_order_id in self.refs or row.perm_id in self.perm_ids


# Nothing is named by nothing: an order id, or another number, of 0 belongs to no row.
_NAMED = Prepared[IbkrOrder](
    lambda: (
        IbkrOrder.objects.select_for_update()
        .filter(
            Q(IsAny(F("client_order_id"), Param("refs", [""])))
            | Q(IsAny(F("perm_id"), Param("perm_ids", [0])))
            | Q(IsAny(F("order_id"), Param("order_ids", [0])))
            | Q(IsAny(F("pk"), Param("pks", [0]))),
            gateway=Param("gateway", 0),
        )
        .order_by("pk")
    )
)
_EXECUTIONS = Prepared[IbkrExecution](
    lambda: IbkrExecution.objects.select_related("order").filter(
        IsAny(F("execution_id"), Param("stems", [""])), order__gateway=Param("gateway", 0)
    )
)


class _Rows:
    """The rows that a batch of messages is about, locked, found by any of their names.

    A refresh reports every execution of the day: all of them are read at once.
    """

    def __init__(self, gateway: IbkrGateway, batch: Iterable[Message]) -> None:
        refs, perm_ids, order_ids, pks = {""}, {0}, {0}, {0}
        for message in batch:
            refs.add(getattr(message, "ref", ""))
            perm_ids.add(getattr(message, "perm_id", 0))
            order_ids.add(getattr(message, "order_id", 0))
            order_ids.add(getattr(message, "request_id", 0))
            pks.add(getattr(message, "pk", 0))
        self.all = _NAMED.all(
            gateway=gateway.pk,
            refs=list(refs),
            perm_ids=list(perm_ids),
            order_ids=list(order_ids),
            pks=list(pks),
        )
        self._by_ref = {row.client_order_id: row for row in self.all}
        self._by_perm = {row.perm_id: row for row in self.all if row.perm_id}
        self._by_order = {row.order_id: row for row in self.all if row.order_id}
        self._by_pk = {row.pk: row for row in self.all}
        stems = {order_state.split_exec_id(m.exec_id)[0] for m in batch if hasattr(m, "exec_id")}
        known = _EXECUTIONS.all(gateway=gateway.pk, stems=list(stems)) if stems else []
        self._executions = {(each.execution_id, each.revision): each for each in known}

    def execution(self, exec_id: str) -> IbkrExecution | None:
        return self._executions.get(order_state.split_exec_id(exec_id))

    def add(self, execution: IbkrExecution) -> None:
        self._executions[execution.execution_id, execution.revision] = execution

    def of_pk(self, pk: int) -> IbkrOrder | None:
        return self._by_pk.get(pk)

    def of_order_id(self, order_id: int) -> IbkrOrder | None:
        return self._by_order.get(order_id)

    def of(self, *, ref: str = "", perm_id: int = 0) -> IbkrOrder | None:
        """The reference comes first: order ids are given out again."""
        return self._by_ref.get(ref) or self._by_perm.get(perm_id)


class Ledger:
    """Written by one thread. `client_id` is this gateway's."""

    def __init__(self, gateway: IbkrGateway, client_id: int, grace: float) -> None:
        self._gateway = gateway
        self._client_id = client_id
        self._grace = grace
        self._refresh: Refresh | None = None
        self._missed: dict[int, float] = {}  # when a refresh first did not show this row
        self._again_at: float | None = None
        self._left: dict[int, float] = {}  # when this row was written to the socket
        self._leaving: set[int] = set()
        # Commissions whose execution has not arrived yet.
        self._early: dict[tuple[str, int], CommissionSeen] = {}
        # Executions of orders that are not ours, since the last comparison.
        self._strangers: dict[tuple[str, int], None] = {}

    def leaving(self, pk: int) -> None:
        """The row is on its way to the socket: no refresh can say anything about it."""
        self._leaving.add(pk)

    def is_leaving(self, pk: int) -> bool:
        return pk in self._leaving

    def left(self, pk: int, at: float) -> None:
        self._leaving.discard(pk)
        self._missed.pop(pk, None)
        self._left[pk] = at

    def link_broken(self) -> None:
        """What was not shown so far proves nothing any more."""
        self._refresh = None
        self._again_at = None
        self._missed.clear()

    def take(self, batch: Sequence[Message]) -> FollowUps:
        """Write a batch in one transaction; a RefreshEnded comes in a batch of its own. After a
        DatabaseError the same batch may be given again."""
        follow_ups = FollowUps()
        with transaction.atomic():
            rows = _Rows(self._gateway, batch)
            before = {row.pk: _state(row) for row in rows.all}
            touched: dict[int, str] = {}  # key: client order id
            for message in batch:
                self._one(message, rows, follow_ups, touched)
            changed = [r for r in rows.all if _state(r) != before[r.pk]]
            _save(changed)
            follow_ups.changed = {row.client_order_id for row in changed} | set(touched.values())
            idle = touched.keys() - {row.pk for row in changed}
            if idle:
                IbkrOrder.objects.filter(pk__in=idle).update(changed_at_real=timezone.now())
        return follow_ups

    def _one(
        self, message: Message, rows: _Rows, follow_ups: FollowUps, touched: dict[int, str]
    ) -> None:
        match message:
            case StatusSeen():
                self._status(message, rows, follow_ups)
            case OpenSeen():
                self._open(message, rows, follow_ups)
            case CompletedSeen():
                self._completed(message, rows)
            case ExecutionSeen():
                self._execution(message, rows, touched)
            case CommissionSeen():
                self._commission(message, rows, touched)
            case ErrorSeen():
                self._error(message, rows, follow_ups)
            case NotSent():
                self._not_sent(message, rows)
            case RefreshBegan():
                self._refresh = Refresh(message.at)
            case RefreshEnded():
                self._compare(message, follow_ups)

    def _status(self, seen: StatusSeen, rows: _Rows, follow_ups: FollowUps) -> None:
        row = rows.of(perm_id=seen.perm_id)
        if row is None and seen.client_id == self._client_id:
            row = rows.of_order_id(seen.order_id)
        if row is not None:
            self._follow(order_state.on_status(row, seen), seen.order_id, follow_ups)

    def _open(self, seen: OpenSeen, rows: _Rows, follow_ups: FollowUps) -> None:
        self._shown(seen.ref, seen.perm_id)
        row = rows.of(ref=seen.ref, perm_id=seen.perm_id)
        if row is not None and seen.client_id == self._client_id:
            refreshing = self._refresh is not None
            self._follow(
                order_state.on_open(row, seen, refreshing=refreshing), seen.order_id, follow_ups
            )

    def _follow(self, following: Next, order_id: int, follow_ups: FollowUps) -> None:
        if following is Next.LOOK:
            follow_ups.refresh = True
        elif following is Next.CANCEL_STRAY:
            log.critical("a second order works under one reference", order_id=order_id)
            follow_ups.strays.append(order_id)

    def _completed(self, seen: CompletedSeen, rows: _Rows) -> None:
        self._shown(seen.ref, seen.perm_id)
        row = rows.of(ref=seen.ref, perm_id=seen.perm_id)
        if row is not None and not (row.perm_id and row.perm_id != seen.perm_id):
            order_state.on_completed(row, seen)

    def _shown(self, ref: str, perm_id: int) -> None:
        if self._refresh is not None:
            self._refresh.refs.add(ref)
            self._refresh.perm_ids.add(perm_id)

    def _execution(self, seen: ExecutionSeen, rows: _Rows, touched: dict[int, str]) -> None:
        self._shown(seen.ref, seen.perm_id)
        row = rows.of(ref=seen.ref, perm_id=seen.perm_id)
        if row is None:
            self._strangers[order_state.split_exec_id(seen.exec_id)] = None
            return
        known = rows.execution(seen.exec_id)
        if known is not None:
            if known.order_id != row.pk:
                log.critical("one execution id of two orders", exec_id=seen.exec_id, ref=seen.ref)
            return
        stem, revision = order_state.split_exec_id(seen.exec_id)
        early = self._early.pop((stem, revision), None)
        execution = IbkrExecution(
            order=row,
            account=seen.account,
            execution_id=stem,
            revision=revision,
            quantity=seen.quantity,
            price=seen.price,
            executed_at=seen.executed_at,
            commission=early.amount if early else None,
            commission_currency=early.currency if early else "",
        )
        insert([execution])
        rows.add(execution)
        row.perm_id = row.perm_id or seen.perm_id or None
        order_state.on_execution(row, executed(executions_of([row])[row.pk]))
        touched[row.pk] = row.client_order_id

    def _commission(self, seen: CommissionSeen, rows: _Rows, touched: dict[int, str]) -> None:
        execution = rows.execution(seen.exec_id)
        if execution is None:
            key = order_state.split_exec_id(seen.exec_id)
            if key not in self._strangers:
                self._early[key] = seen
        elif execution.commission != seen.amount:
            execution.commission = seen.amount
            execution.commission_currency = seen.currency
            save(execution, "commission", "commission_currency")
            touched[execution.order_id] = execution.order.client_order_id

    def _error(self, seen: ErrorSeen, rows: _Rows, follow_ups: FollowUps) -> None:
        row = rows.of_order_id(seen.request_id)
        if row is not None:
            log.warning(
                "TWS complains of an order",
                client_order_id=row.client_order_id, code=seen.code, text=seen.text,
            )  # fmt: skip
            self._follow(order_state.on_error(row, seen), seen.request_id, follow_ups)

    def _not_sent(self, message: NotSent, rows: _Rows) -> None:
        self._leaving.discard(message.pk)
        row = rows.of_pk(message.pk)
        if row is None or row.stage != IbkrOrder.Stage.SENDING:
            return
        row.code, row.text = message.code, message.text[:300]
        if row.attempt > 1:
            # This attempt did not leave; an earlier one did, and only the lists know of it.
            row.stage = IbkrOrder.Stage.ABSENT
        elif message.final:
            row.stage = IbkrOrder.Stage.REJECTED
        else:
            row.stage = IbkrOrder.Stage.WITHDRAWN

    def _compare(self, ended: RefreshEnded, follow_ups: FollowUps) -> None:
        """A row that two refreshes in a row did not show, some time apart, is not at the broker."""
        refresh, self._refresh = self._refresh, None
        if self._strangers:
            log.info("executions of orders that are not ours", count=len(self._strangers))
            self._strangers.clear()
        if refresh is None or refresh.began != ended.began:
            return
        if ended.unanswered:
            log.warning("TWS left questions unanswered", unanswered=ended.unanswered)
            return
        again = []
        for row in self._unshown(refresh):
            since = self._missed.get(row.pk)
            if since is None:
                # Too fresh to be missed: TWS may not have come to it.
                fresh_until = self._left.get(row.pk, -inf) + self._grace
                if fresh_until >= refresh.began:
                    again.append(fresh_until)
                    continue
                since = self._missed[row.pk] = refresh.began
            if refresh.began - since < self._grace:
                again.append(since + self._grace)
            else:
                self._give_up(row)
        self._again_at = min(again, default=None)

    def _unshown(self, refresh: Refresh) -> list[IbkrOrder]:
        open_rows = self._gateway.orders.select_for_update().filter(stage__in=order_state.AT_BROKER)
        unshown = []
        for row in open_rows.order_by("pk"):
            if refresh.shows(row):
                self._missed.pop(row.pk, None)
            elif row.pk not in self._leaving:
                unshown.append(row)
        return unshown

    def _give_up(self, row: IbkrOrder) -> None:
        order_state.on_absence(row)
        log.error("not at the broker", client_order_id=row.client_order_id, stage=row.stage)
        _save([row])
        del self._missed[row.pk]

    def refresh_again_at(self) -> float | None:
        """When (monotonic) another refresh could settle what the last one did not show."""
        return self._again_at


def _state(row: IbkrOrder) -> tuple[object, ...]:
    return tuple(getattr(row, column) for column in _COLUMNS)


def _save(rows: Sequence[IbkrOrder]) -> None:
    now = timezone.now()
    for row in rows:
        row.changed_at_real = now
        save(row, *_COLUMNS)
