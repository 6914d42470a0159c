"""The way out of recovery mode: every account is compared, a named person has read what differs,
and says so."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.utils import timezone

from execution.broker.base import BrokerError
from execution.context import Context
from execution.models import BrokerAccount, BrokerDifference, Recovery
from execution.reconciliation import account_reconciliation, breaks
from execution.reconciliation.account_reconciliation import Busy, NotComparable
from execution.risk import kill_switch, recovery_mode, second_person

log = structlog.get_logger(__name__)


class NotReleased(ValueError):
    """Recovery mode goes on; the text says why and what comes next."""


@dataclass(frozen=True, slots=True)
class AccountReport:
    """What a comparison of one account since the recovery began has found. `problem`: why there is
    none; empty when there is one."""

    account: str
    problem: str
    differences: Sequence[BrokerDifference]


@dataclass(frozen=True, slots=True)
class Report:
    recovery: Recovery
    accounts: Sequence[AccountReport]

    @property
    def compared(self) -> bool:
        return not any(each.problem for each in self.accounts)


def compare_all(recovery: Recovery, context: Context) -> Report:
    """Compare every account with its broker, all executions of the last day included: what was
    missed is booked, and a position that stays unexplained holds its symbol."""
    accounts = account_reconciliation.accounts(context)
    return Report(recovery, [_compared(account, context) for account in accounts])


def report(recovery: Recovery, context: Context) -> Report:
    """The same from what is stored; asks no broker."""
    return Report(
        recovery,
        [
            _stored(account, recovery, context)
            for account in account_reconciliation.accounts(context)
        ],
    )


def release(context: Context, *, by: str, reason: str) -> Report:
    """Compare once more, end recovery mode and let the system trade on. Symbols with a break of
    their position stay held, each until it is accepted or explains itself. A system that somebody
    else had halted before, or has since, stays halted. Not inside a transaction.

    Raises NotReleased, and SecondPersonNeeded where two must ask."""
    if not by.strip() or not reason.strip():
        raise NotReleased("a reason and the name of the person are required")
    recovery = recovery_mode.current()
    if recovery is None:
        raise NotReleased("there is no recovery mode to release")
    found = compare_all(recovery, context)
    for each in found.accounts:
        if each.problem:
            raise NotReleased(
                f"account {each.account} is not compared: {each.problem}. Nothing is sent before"
                " it is; mend that and release again"
            )
    second_person.require(f"release {recovery}", by=by, reason=reason)
    _end(recovery, by=by, reason=reason)
    if not recovery.was_halted:
        kill_switch.resume(
            scope=kill_switch.Scope.SYSTEM,
            key="",
            by=by,
            reason=f"recovery mode released: {reason}",
            now=context.now(),
            approved=True,
        )
    return found


@transaction.atomic
def _end(recovery: Recovery, *, by: str, reason: str) -> None:
    own = Recovery.objects.select_for_update().get(pk=recovery.pk)
    if own.released_at_real is not None:
        raise NotReleased(f"{own.released_by} has released it already")
    own.released_at_real, own.released_by = timezone.now(), by[:150]
    own.released_reason = reason[:300]
    # Somebody may have halted the system since, for a cause that the release knows nothing of.
    own.was_halted = own.was_halted or recovery_mode.halted_by_somebody()
    own.save()
    recovery.refresh_from_db()
    log.warning("recovery mode was released", by=by, reason=reason, cause=own.cause)


def _compared(account: str, context: Context) -> AccountReport:
    try:
        done = account_reconciliation.compare(
            account, context, thorough=True, patience=account_reconciliation.PATIENCE
        )
    except (BrokerError, Busy, NotComparable) as error:
        return AccountReport(account, str(error), ())
    return AccountReport(account, "", done.differences)


def _stored(account: str, recovery: Recovery, context: Context) -> AccountReport:
    row = BrokerAccount.objects.filter(broker=context.broker.name, account=account).first()
    if row is None or row.thorough_at_real is None or row.thorough_at_real < recovery.began_at_real:
        return AccountReport(account, (row and row.problem) or "not compared yet", ())
    return AccountReport(account, "", breaks.still_open(row))
