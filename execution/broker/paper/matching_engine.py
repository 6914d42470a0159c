"""The paper broker's orders and executions as rows: entered, matched with the tape, ended."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import Min

from deepstack import django_setup
from deepstack.config_paper import Paper
from execution.broker.paper.matching_rules import (
    PaperFill,
    Resting,
    commission_due,
    first_of,
    match,
    shares,
)
from execution.broker.paper.venue_faults import FaultProfile
from execution.domain.lifecycle import SliceStatus
from execution.market.base import MarketData, MarketDataUnavailable, TapeBar, TrialMarket
from execution.market.own_impact import OwnImpact

django_setup.ensure()

from deepstack.database.statement import run  # noqa: E402
from deepstack.database.unit_of_work import insert  # noqa: E402
from execution.broker.paper import minute_volume  # noqa: E402
from execution.models import PaperExecution, PaperOrder  # noqa: E402

log = structlog.get_logger(__name__)


class PaperBook:
    """Every call is a transaction of its own."""

    def __init__(
        self, settings: Paper, market: MarketData, faults: FaultProfile, impact: OwnImpact
    ) -> None:
        self._settings = settings
        self._impact = impact
        self._market = market
        self._faults = faults
        self._trial = market if isinstance(market, TrialMarket) else None

    def enter(
        self,
        order: PaperOrder,
        fills: Sequence[PaperFill],
        now: datetime,
        printing: TapeBar | None = None,
    ) -> list[PaperExecution]:
        """Store a new order with what it gets at once, which others may have left of the minute
        in progress (`printing`); raises IntegrityError for a known id."""
        if fills and printing is not None:
            # Before the order is stored, so that all who trade in the symbol do not wait for each
            # other's orders. What a known id has taken is lost to the others of its minute.
            wanted, volume = shares(fills), printing.volume
            granted = minute_volume.take(order.symbol, now, wanted=wanted, volume=volume)
            fills = first_of(fills, granted)
        return self._enter(order, fills, now)

    @transaction.atomic(durable=True)
    def _enter(
        self, order: PaperOrder, fills: Sequence[PaperFill], now: datetime
    ) -> list[PaperExecution]:
        # Its commit does not wait for the disk. Whoever writes what came of the order commits
        # later, and a machine that fails loses no earlier commit without the later ones.
        run("SELECT set_config('synchronous_commit', 'off', true)")
        self._count(order, fills, now)
        insert([order])
        return self._add(order, fills, now)

    def match(self, now: datetime, *, symbol: str | None = None) -> None:
        """Bring the open orders, of one symbol or of all, up to `now`."""
        open_orders = PaperOrder.objects.filter(status__in=PaperOrder.OPEN)
        if symbol is not None:
            open_orders = open_orders.filter(symbol=symbol)
        behind = open_orders.values("symbol").annotate(
            since=Min("matched_until"), expires=Min("expires_at")
        )
        for row in behind.order_by("symbol"):
            # Asked for before any row is locked: a source may be slow.
            try:
                bars = self._market.bars(row["symbol"], row["since"], now)
            except MarketDataUnavailable as error:
                log.warning("not matched for now", symbol=row["symbol"], error=str(error))
                continue
            if bars or (row["expires"] is not None and row["expires"] <= now):
                self._match_symbol(row["symbol"], bars, row["since"], now)

    @transaction.atomic(durable=True)
    def _match_symbol(
        self, symbol: str, bars: Sequence[TapeBar], since: datetime, now: datetime
    ) -> None:
        # Locked in the order of arrival. Whoever waited here sees how far the other one came; an
        # order that is further behind than the bars reach is left to the next turn.
        orders = list(
            PaperOrder.objects.select_for_update()
            .filter(symbol=symbol, status__in=PaperOrder.OPEN, matched_until__gte=since)
            .order_by("pk")
        )
        resting = [_resting(order) for order in orders]
        match(
            resting,
            bars,
            participation=self._settings.participation,
            displayed=self._settings.displayed_shares,
            room=self._room(symbol, bars),
            shifts=self._impact.shifts(symbol, now),
        )
        self._note(symbol, resting)
        until = bars[-1].end if bars else since
        idle = []
        for order, state in zip(orders, resting, strict=True):
            order.matched_until = until
            if state.fills or state.moved or _is_over(order, now):
                self._advance(order, state, now)
            elif not state.starved:
                idle.append(order.pk)
        PaperOrder.objects.filter(pk__in=idle, matched_until__lt=until).update(matched_until=until)

    def _room(self, symbol: str, bars: Sequence[TapeBar]) -> dict[datetime, int]:
        """What is left of the minutes of which somebody got a part already."""
        if self._trial is None or not bars:
            return {}
        taken = minute_volume.taken(symbol, bars[0].start, bars[-1].start)
        whole = {minute: self._trial.printing(symbol, minute) for minute in taken}
        return {minute: max(bar.volume - taken[minute], 0) for minute, bar in whole.items() if bar}

    def _note(self, symbol: str, resting: Sequence[Resting]) -> None:
        if self._trial is None:
            return
        got: dict[datetime, int] = defaultdict(int)
        for fill in (fill for order in resting for fill in order.fills):
            got[minute_volume.minute_of(fill.at)] += fill.quantity
        for minute, quantity in sorted(got.items()):
            minute_volume.note(symbol, minute, quantity)

    def _advance(self, order: PaperOrder, state: Resting, now: datetime) -> None:
        order.awaits_print, order.queue_ahead = state.awaits_print, state.ahead
        self._count(order, state.fills, now)
        if order.status in PaperOrder.OPEN and _is_over(order, now):
            asked = order.status == SliceStatus.CANCELLING
            order.status = SliceStatus.CANCELLED if asked else SliceStatus.EXPIRED
            order.changed_at = max(order.changed_at, now)
        order.save(
            update_fields=[
                "filled_quantity", "status", "matched_until", "awaits_print", "queue_ahead",
                "changed_at",
            ]
        )  # fmt: skip
        self._add(order, state.fills, now)

    def _count(self, order: PaperOrder, fills: Sequence[PaperFill], now: datetime) -> None:
        """The order stays news until the last of its executions is reported."""
        for fill in fills:
            reported = self._faults.reported_at(order.client_order_id, order.filled_quantity, now)
            order.changed_at = max(order.changed_at, reported or now)
            order.filled_quantity += fill.quantity
        if order.filled_quantity == order.quantity:
            order.status = SliceStatus.FILLED

    def _add(
        self, order: PaperOrder, fills: Sequence[PaperFill], now: datetime
    ) -> list[PaperExecution]:
        """Store fills that the order's filled quantity already contains."""
        if not fills:
            return []
        filled = order.filled_quantity - shares(fills)
        rows = []
        for fill in fills:
            before, filled = filled, filled + fill.quantity
            rows.append(
                PaperExecution(
                    order=order,
                    quantity=fill.quantity,
                    price=fill.price,
                    commission=self._commission(filled) - self._commission(before),
                    executed_at=fill.at,
                    reported_at=self._faults.reported_at(order.client_order_id, before, now),
                )
            )
        insert(rows)
        for fill in fills:
            self._impact.note(order.symbol, order.side, fill.quantity, fill.at)
        return rows

    def _commission(self, filled: int) -> Decimal:
        return commission_due(
            filled,
            per_share=self._settings.commission_per_share,
            minimum=self._settings.minimum_commission,
        )


def _is_over(order: PaperOrder, now: datetime) -> bool:
    return order.expires_at is not None and order.expires_at <= now


def _resting(order: PaperOrder) -> Resting:
    return Resting(
        side=order.side,
        limit=order.limit_price,
        leaves=order.quantity - order.filled_quantity,
        since=order.matched_until,
        expires=order.expires_at,
        awaits_print=order.awaits_print,
        ahead=order.queue_ahead,
    )
