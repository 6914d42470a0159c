"""Everything that stands between a slice and the broker, read in one statement; nearly always none
of it is there, and nothing more has to be read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Sum

from deepstack.database.prepared_query import Param, Prepared
from execution.domain.lifecycle import SLICE_AT_BROKER, SliceStatus
from execution.domain.reconciliation import Kind
from execution.models import (
    BrokerDifference,
    Order,
    RestrictedSymbol,
    RiskLimit,
    Slice,
    TradingState,
)
from execution.models.orders import LEAVES, Side
from execution.risk.exposure import nearest_opposing
from execution.risk.scopes import applying_by_name, own

_NAMES = ("halted", "limited", "restricted", "broken", "opposing")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`halted`, `limited`, `restricted`, `broken`: whether a trading state other than ACTIVE, a
    limit, the restricted list, or a break of a position applies to the order; `opposing` as
    `exposure.opposing` gives it."""

    halted: bool
    limited: bool
    restricted: bool
    broken: bool
    opposing: Decimal | None


def claimable(order: Order, slice_id: int) -> tuple[Slice, int, Snapshot]:
    """A slice of a locked order, W of the order, and what stands in the way. Raises
    Slice.DoesNotExist."""
    part = _CLAIM[order.side].first(slice=slice_id, **own(order))
    if part is None:
        raise Slice.DoesNotExist(f"slice {slice_id}")
    part.order = order
    return part, part.working or 0, _snapshot(part)  # type: ignore[attr-defined]  # annotated


def read_ahead(parts: Iterable[tuple[Order, int]]) -> bool:
    """For `claimable`, of slices of different locked orders; whether a limit or the restricted list
    applies to any of them."""
    asked: dict[str, list[dict[str, object]]] = {}
    for order, slice_id in parts:
        asked.setdefault(order.side, []).append({"slice": slice_id, **own(order)})
    found = list[Slice]()
    for side, wanted in asked.items():
        _CLAIM[side].read_ahead(wanted)
        found += [part for each in wanted for part in _CLAIM[side].all(**each)]
    return any(part.limited or part.restricted for part in found)  # type: ignore[attr-defined]


def anew(part: Slice) -> Snapshot:
    """What stands in the way of a slice now."""
    _, _, found = claimable(part.order, part.pk)
    return found


@dataclass(frozen=True, slots=True)
class FinalCheck:
    """A claim that still holds: until when, what its order has become, what stands in the way."""

    lease_until_real: datetime
    order_status: str
    snapshot: Snapshot


def read_final_checks_ahead(claims: Iterable[tuple[Slice, UUID]]) -> None:
    """For `final_check`, of claims by their tokens."""
    asked: dict[str, list[dict[str, object]]] = {}
    for part, token in claims:
        asked.setdefault(part.order.side, []).append(_claim_of(part, token))
    for side, wanted in asked.items():
        _FINAL_CHECK[side].read_ahead(wanted)


def final_check(part: Slice, token: UUID) -> FinalCheck | None:
    """None when the claim is lost."""
    row = _FINAL_CHECK[part.order.side].first(**_claim_of(part, token))
    return None if row is None else FinalCheck(row[0], row[1], Snapshot(*row[2:]))


def _claim_of(part: Slice, token: UUID) -> dict[str, object]:
    return {"slice": part.pk, "token": token, **own(part.order)}


def _snapshot(row: object) -> Snapshot:
    return Snapshot(*(getattr(row, name) for name in _NAMES))


def _claim(side: str) -> "QuerySet[Any, Any]":
    working = Slice.objects.filter(order=OuterRef("order"), status__in=sorted(SLICE_AT_BROKER))
    leaves = working.order_by().values("order").annotate(n=Sum(LEAVES)).values("n")
    claims: QuerySet[Any, Any] = _in_the_way(side).annotate(working=Subquery(leaves))
    return claims.filter(pk=Param("slice", 0)).defer("explanation")


def _final_check(side: str) -> "QuerySet[Slice, Any]":
    claims = _in_the_way(side).filter(
        pk=Param("slice", 0), claim_token=Param("token", UUID(int=0)), status=SliceStatus.SENDING
    )
    return claims.filter(lease_until_real__isnull=False).values_list(
        "lease_until_real", "order__status", *_NAMES
    )


def _in_the_way(side: str) -> "QuerySet[Any, Any]":
    apply = applying_by_name()
    states = TradingState.objects.filter(apply).exclude(state=TradingState.State.ACTIVE)
    listed = RestrictedSymbol.objects.filter(
        Q(account="") | Q(account=Param("account", "")), symbol=Param("symbol", "")
    )
    breaks = BrokerDifference.objects.filter(
        kind=Kind.POSITION,
        gone_at_real__isnull=True,
        account=Param("account", ""),
        symbol=Param("symbol", ""),
    )
    return Slice.objects.annotate(
        halted=Exists(states),
        limited=Exists(RiskLimit.objects.filter(apply)),
        restricted=Exists(listed),
        broken=Exists(breaks),
        opposing=Subquery(nearest_opposing(side)),
    )


_CLAIM = {side: Prepared[Slice](partial(_claim, side), many=True) for side in Side.values}
_FINAL_CHECK = {side: Prepared[Any](partial(_final_check, side), many=True) for side in Side.values}
