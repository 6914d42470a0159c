"""What comparisons with the broker found, kept for a person: stored, accepted, quarantined."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from execution.domain.reconciliation import Difference, Kind
from execution.models import BrokerAccount, BrokerDifference, TradingState
from execution.risk import kill_switch

log = structlog.get_logger(__name__)

HELD = (Kind.POSITION, Kind.CASH)  # what a person may accept
BY = "comparison with the broker"


def still_open(row: BrokerAccount) -> list[BrokerDifference]:
    return list(_open(row).order_by("pk"))


@transaction.atomic
def store(
    row: BrokerAccount, found: Iterable[Difference], *, judged_fills: Iterable[str], at: datetime
) -> None:
    """Make the open differences those that were found. Of executions only the children in
    `judged_fills` (their client order ids) were compared; all else always is.

    A position that differs by other shares than before is another difference: who accepts, or has
    read an alert, knows the shares of one.
    """
    known = {(each.kind, each.subject): each for each in _open(row).select_for_update()}
    for each in found:
        before = known.pop((each.kind, each.subject), None)
        if before is not None and each.kind == Kind.POSITION and before.gap != each.gap[:80]:
            BrokerDifference.objects.filter(pk=before.pk).update(gone_at_real=at)
        facts = {
            "symbol": each.symbol[:32],
            "ours": each.ours[:80],
            "theirs": each.theirs[:80],
            "gap": each.gap[:80],
            "words": each.words[:300],
            "last_seen_at_real": at,
        }
        _, new = BrokerDifference.objects.update_or_create(
            broker=row.broker,
            account=row.account,
            kind=each.kind,
            subject=each.subject[:128],
            gone_at_real=None,
            defaults=facts,
            create_defaults={**facts, "first_seen_at_real": at},
        )
        if new:
            log.warning("differs from the broker", account=row.account, what=each.words)
    judged = set(judged_fills)
    gone = [each.pk for each in known.values() if each.kind != Kind.FILL or each.subject in judged]
    BrokerDifference.objects.filter(pk__in=gone).update(gone_at_real=at)
    for settled in known.values():
        if settled.pk in gone:
            log.info("agrees with the broker again", account=row.account, what=settled.words)


@transaction.atomic
def accept(
    row: BrokerAccount, *, by: str, reason: str = "", only: Collection[int] | None = None
) -> list[BrokerDifference]:
    """Let the open differences of positions and cash, or those of some numbers, count as held
    beside our own fills; those that were still open."""
    row = BrokerAccount.objects.select_for_update().get(pk=row.pk)
    wanted = _open(row).filter(kind__in=HELD)
    if only is not None:
        wanted = wanted.filter(pk__in=only)
    accepted = list(wanted.select_for_update())
    if not accepted:
        return []
    positions = dict(row.positions_beside)
    for each in accepted:
        if each.kind == Kind.CASH:
            row.cash_beside += Decimal(each.gap)
        else:
            positions[each.subject] = positions.get(each.subject, 0) + int(each.gap)
    row.positions_beside = _whole(positions)
    now = timezone.now()
    row.accepted_by, row.accepted_at_real = by[:150], now
    row.save(update_fields=["positions_beside", "cash_beside", "accepted_by", "accepted_at_real"])
    BrokerDifference.objects.filter(pk__in=[each.pk for each in accepted]).update(
        gone_at_real=now, accepted_by=by[:150], accepted_reason=reason[:300]
    )
    return accepted


def take_as_held(
    row: BrokerAccount, positions: Mapping[str, int], cash: Decimal, *, by: str
) -> None:
    """What the account holds beside our own fills was there before; changes the row in memory."""
    symbols = {*positions, *row.positions}
    row.positions_beside = _whole(
        {symbol: row.positions.get(symbol, 0) - positions.get(symbol, 0) for symbol in symbols}
    )
    row.cash_beside = row.cash - cash
    row.accepted_by, row.accepted_at_real = by, timezone.now()


def accounts_with_breaks(broker: str, *, compared_before: datetime) -> set[str]:
    """The accounts with an open break of a position that was last looked at before a moment."""
    old = BrokerAccount.objects.filter(broker=broker, compared_at_real__lt=compared_before)
    found = BrokerDifference.objects.filter(
        broker=broker,
        kind=Kind.POSITION,
        gone_at_real__isnull=True,
        account__in=old.values("account"),
    )
    return set(found.values_list("account", flat=True))


def quarantine(row: BrokerAccount, *, now: datetime) -> None:
    """Halt the symbols in which somebody else's orders have appeared, each once: a person who
    resumes trading in one has seen the order. Not inside a transaction."""
    fresh = _open(row).filter(kind=Kind.EXTERNAL_ORDER, halted_at_real=None)
    for each in fresh.order_by("pk"):
        if not _is_halted(each.symbol):
            _halt(each, now=now)
        BrokerDifference.objects.filter(pk=each.pk).update(halted_at_real=timezone.now())


def _halt(each: BrokerDifference, *, now: datetime) -> None:
    reason = f"{each.words}. Resume once that is settled, or as it is meant to be"
    try:
        kill_switch.halt(
            scope=TradingState.Scope.SYMBOL, key=each.symbol, by=BY, reason=reason[:300], now=now
        )
    except ValueError:
        log.info("a symbol that no order of ours can have", symbol=each.symbol)


def _is_halted(symbol: str) -> bool:
    return TradingState.objects.filter(
        Q(scope=TradingState.Scope.SYMBOL, key=symbol), state=TradingState.State.HALTED
    ).exists()


def _whole(positions: Mapping[str, int]) -> dict[str, int]:
    return {symbol: shares for symbol, shares in sorted(positions.items()) if shares}


def _open(row: BrokerAccount) -> "QuerySet[BrokerDifference]":
    return BrokerDifference.objects.filter(
        broker=row.broker, account=row.account, gone_at_real__isnull=True
    )
