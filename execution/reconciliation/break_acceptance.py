"""POSITION breaks: the broker has other shares of a symbol than our fills explain. Nothing of the
symbol leaves until the shares are explained or a named person accepts them."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from execution.context import Context
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import ORDER_LIVE
from execution.domain.reconciliation import Kind
from execution.entry.order_controls import NotAllowed
from execution.models import BrokerAccount, BrokerDifference, Order, OrderEvent
from execution.orders.journal import event
from execution.reconciliation import breaks
from execution.risk.position_breaks import still_open


def find(account: str, symbol: str, context: Context) -> BrokerDifference:
    """Raises NotAllowed where there is none."""
    found = still_open().filter(broker=context.broker.name, account=account, symbol=symbol).first()
    if found is None:
        raise NotAllowed(
            f"{symbol} has no open POSITION break in account {account!r}: `manage.py reconcile` "
            "shows what differs"
        )
    return found


@transaction.atomic
def accept(number: int, *, by: str, reason: str, now: datetime) -> BrokerDifference:
    """Let the broker's shares count as held from now on, so that the symbol trades again. Raises
    BrokerDifference.DoesNotExist, ValueError without a name or a reason, or NotAllowed for a break
    that is gone."""
    if not by.strip() or not reason.strip():
        raise ValueError("a reason and the name of the person are required")
    asked = BrokerDifference.objects.get(pk=number, kind=Kind.POSITION)
    row = BrokerAccount.objects.get(broker=asked.broker, account=asked.account)
    taken = breaks.accept(row, by=by, reason=reason, only=[number])
    if not taken:
        asked.refresh_from_db()
        raise NotAllowed(f"break {number} of {asked.symbol} is no longer open: {_gone(asked)}")
    _record(taken, by=by, reason=reason, now=now)
    asked.refresh_from_db()
    return asked


def _gone(asked: BrokerDifference) -> str:
    same = {"broker": asked.broker, "account": asked.account, "subject": asked.subject}
    if asked.accepted_by:
        return f"accepted by {asked.accepted_by}"
    if (now := still_open().filter(**same).first()) is not None:
        return f"the shares have changed, it is break {now.pk} now: {now.words}"
    return "explained meanwhile"


def _record(taken: Sequence[BrokerDifference], *, by: str, reason: str, now: datetime) -> None:
    """Into the audit trail of every live order that the break held back."""
    for each in taken:
        facts = {
            "symbol": each.symbol,
            "ours": each.ours,
            "theirs": each.theirs,
            "by": by,
            "reason": reason,
        }
        held = Order.objects.filter(
            account=each.account, symbol=each.symbol, status__in=sorted(ORDER_LIVE)
        )
        OrderEvent.objects.bulk_create(
            [event(order, EventKind.POSITION_BREAK_ACCEPTED, facts, at=now) for order in held]
        )
