"""Reconcile first, then trade: our records of an account are compared with the broker's.

What differs after everything that can be settled was settled is stored for a person; an order of
somebody else is left alone and its symbol halted.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as time_of_day

import structlog
from django.db import transaction
from django.utils import timezone

from deepstack.database.advisory_locks import COMPARING, try_session_lock, unlock_session
from execution.broker.base import AccountBroker, BrokerError
from execution.context import Context
from execution.domain.exchange_time import exchange_day
from execution.domain.lifecycle import ORDER_LIVE
from execution.market.calendar import new_york
from execution.models import BrokerAccount, BrokerCursor, BrokerDifference, Order
from execution.reconciliation import breaks
from execution.reconciliation.account_comparison import AccountComparison, Fills, Snapshot
from execution.risk.accounts import of_login, refusal

log = structlog.get_logger(__name__)

PATIENCE = 60.0  # seconds, for another comparison to end
NIGHT = time_of_day(20, 15)  # New York, after the extended hours


class NotComparable(RuntimeError):
    """The broker cannot be asked about its accounts."""


class Busy(RuntimeError):
    """Another process compares just now."""


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison that was carried out. `differences` are all that are open now."""

    account: BrokerAccount
    differences: Sequence[BrokerDifference]


def accounts(context: Context) -> list[str]:
    """The accounts at the broker that our orders are, or may be, in."""
    own = getattr(context.broker.broker, "account", None)
    if own is not None:
        return [own]
    polled = BrokerCursor.objects.filter(broker=context.broker.name).values_list(
        "account", flat=True
    )
    live = Order.objects.filter(status__in=ORDER_LIVE).values_list("account", flat=True)
    ours = {context.config.account, *polled, *live.distinct().order_by()}
    known = of_login(context)
    return sorted(account for account in ours if refusal(account, known) is None)


def compare(
    account: str,
    context: Context,
    *,
    thorough: bool,
    patience: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Settle what can be settled, compare, and store what differs. Not inside a transaction.

    `thorough` reads all executions of the last day anew. Raises Busy when another process compares
    for longer than `patience` seconds, NotComparable, or the broker's BrokerUnavailable and
    OutcomeUnknown, which the account's row notes.
    """
    broker = context.broker.broker
    if not isinstance(broker, AccountBroker):
        raise NotComparable(f"{broker.name} cannot be asked about its accounts")
    with _alone(patience):
        row, _ = BrokerAccount.objects.get_or_create(broker=broker.name, account=account)
        began = timezone.now()
        comparison = AccountComparison(broker, row, context, sleep)
        try:
            fills = comparison.fills() if thorough else Fills()
            snapshot = comparison.steady()
        except BrokerError as error:
            _note_failure(row, str(error))
            raise
        _store(row, snapshot, fills, began, context, thorough=thorough)
        return Report(row, breaks.still_open(row))


def accept(account: str, context: Context, *, by: str) -> Report:
    """Take the broker's word for the positions and the cash of the last comparison: what differed
    counts as held before from now on. ValueError without a name or a comparison."""
    if not by.strip():
        raise ValueError("by: the name of the person who accepts is required")
    row = BrokerAccount.objects.filter(broker=context.broker.name, account=account).first()
    if row is None or row.compared_at_real is None:
        raise ValueError(f"account {account!r} has not been compared yet")
    breaks.accept(row, by=by)
    row.refresh_from_db()
    return Report(row, breaks.still_open(row))


def nightly(context: Context) -> list[str]:
    """Compare each account that has not been since the last night, and each whose positions differ:
    what explains itself holds nothing back any more. Returns those compared."""
    mark = last_night(timezone.now())
    broken = breaks.accounts_with_breaks(context.broker.name, compared_before=timezone.now())
    done = []
    for account in accounts(context):
        recent = BrokerAccount.objects.filter(
            broker=context.broker.name, account=account, thorough_at_real__gte=mark
        )
        if recent.exists() and account not in broken:
            continue
        try:
            compare(account, context, thorough=True, patience=PATIENCE)
        except (BrokerError, Busy) as error:
            log.warning("not compared with the broker", account=account, error=str(error))
        except NotComparable:
            return []
        else:
            done.append(account)
    return done


def last_night(real_now: datetime) -> datetime:
    """The latest moment, up to now, from which on a comparison counts as the night's."""
    day = exchange_day(real_now)
    mark = new_york(day, NIGHT)
    return mark if mark <= real_now else new_york(day - timedelta(days=1), NIGHT)


@contextmanager
def _alone(patience: float) -> Iterator[None]:
    deadline = time.monotonic() + patience
    while not try_session_lock(COMPARING):
        if time.monotonic() >= deadline:
            raise Busy("another process compares with the broker just now")
        time.sleep(0.1)
    try:
        yield
    finally:
        unlock_session(COMPARING)


def _note_failure(row: BrokerAccount, problem: str) -> None:
    rows = BrokerAccount.objects.filter(pk=row.pk)
    rows.update(problem=problem[:300])
    rows.filter(failing_since_real=None).update(failing_since_real=timezone.now())


def _store(
    row: BrokerAccount,
    snapshot: Snapshot,
    fills: Fills,
    began: datetime,
    context: Context,
    *,
    thorough: bool,
) -> None:
    accepted = row.accepted_at_real
    row.cash, row.buying_power = snapshot.state.cash, snapshot.state.buying_power
    row.positions = dict(snapshot.state.positions)
    row.compared_at_real, row.failing_since_real, row.problem = began, None, ""
    row.thorough_at_real = began if thorough else row.thorough_at_real
    columns = ["cash", "buying_power", "positions"]
    when = ["compared_at_real", "thorough_at_real", "failing_since_real", "problem"]
    if row.accepted_at_real is None:
        breaks.take_as_held(row, snapshot.ours.positions, snapshot.ours.cash, by="first comparison")
        columns += ["positions_beside", "cash_beside", "accepted_by", "accepted_at_real"]
    with transaction.atomic():
        # Not `due_at_real`: there may have been a gap since.
        now = BrokerAccount.objects.select_for_update().get(pk=row.pk)
        found = [*snapshot.found, *fills.found]
        if now.accepted_at_real != accepted:
            # A person accepted what was held meanwhile: it was compared with what held before.
            found = [each for each in found if each.kind not in breaks.HELD]
        row.save(update_fields=[*columns, *when])
        breaks.store(row, found, judged_fills=fills.judged, at=timezone.now())
    if context.config.execution.comparison.halt_external_symbols:
        breaks.quarantine(row, now=context.now())
