"""Drafts become orders: one transaction writes order, slices and events, then enqueues."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter

from django.db import IntegrityError, transaction

from deepstack.database.bulk_copy import copy_in, number
from deepstack.database.prepared_query import Param, Prepared
from execution import task_queue
from execution.models import Order, OrderEvent, Slice
from execution.orders.draft import Draft
from execution.orders.journal import log_when_committed

ENQUEUED_AT_ONCE = 1_000


class ReferenceTaken(Exception):
    """Another process stored an order under one of the references meanwhile; look it up."""


def store(drafts: Sequence[Draft], *, horizon_end: datetime) -> None:
    """Write all drafts in one transaction; on commit, enqueue the slices due by the horizon.

    The caller waits for the first thousand tasks only. The dispatch loop enqueues the others in
    time, as it does for all of them should this process die first.
    """
    try:
        with transaction.atomic():
            orders = [draft.order for draft in drafts]
            slices = [part for draft in drafts for part in draft.slices]
            events = [event for draft in drafts for event in draft.events]
            number(orders, slices, events)
            # Two that store the same references wait for each other in one order, or in a deadlock.
            in_turn = sorted(orders, key=_reference)
            copy_in(in_turn)
            for rows in (slices, events):
                _refer_to_orders(rows)
                copy_in(rows)
            log_when_committed(events)
            due = [(part.pk, part.due_at) for part in slices if part.due_at <= horizon_end]
            if due:
                first = sorted(due, key=itemgetter(1))[:ENQUEUED_AT_ONCE]
                transaction.on_commit(lambda: task_queue.enqueue_due(first), robust=True)
    except IntegrityError as error:
        if "order_reference_once" in str(error):
            raise ReferenceTaken from error
        raise


def _reference(order: Order) -> tuple[str, str]:
    return order.account, order.client_reference or ""


def _refer_to_orders(rows: Sequence[Slice] | Sequence[OrderEvent]) -> None:
    """Rows that were made before their order had its number."""
    for row in rows:
        row.order_id = row.order.pk


_REFERRED = Prepared[Order](
    lambda: Order.objects.filter(
        account=Param("account", ""), client_reference=Param("reference", "")
    )
)


def existing(references: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str], Order]:
    """The stored orders under (account, client reference)."""
    wanted = {(account, reference) for account, reference in references if reference}
    if not wanted:
        return {}
    if len(wanted) == 1:
        ((account, reference),) = wanted
        rows = _REFERRED.all(account=account, reference=reference)
        return dict.fromkeys(wanted, rows[0]) if rows else {}
    maybe = Order.objects.filter(
        client_reference__in={reference for _, reference in wanted},
        account__in={account for account, _ in wanted},
    )
    return {
        (row.account, row.client_reference): row
        for row in maybe
        if row.client_reference and (row.account, row.client_reference) in wanted
    }
