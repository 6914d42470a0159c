"""The paper broker: a stand-in for a remote one that keeps its book in the database."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Min

from deepstack import ready
from deepstack.config import Config
from execution.domain.lifecycle import SliceStatus
from execution.domain.session import Session
from execution.market import open_market
from execution.market.base import MarketData, MarketDataUnavailable, Quote, TapeBar, TrialMarket
from execution.market.touch import SMALL_TICK, TICK

from .base import BrokerOrder, BrokerRejected, DuplicateOrder, Execution, Ticket
from .paper_rules import PaperFill, Resting, commission_due, match, take_from_book, within_limit

ready.ensure()

from execution.models import PaperExecution, PaperOrder  # noqa: E402

log = structlog.get_logger(__name__)


class PaperTrader:
    """Fills child orders against a market source, by the rules in `paper_rules`.

    Every call is a transaction of its own, over before it answers. Calling one inside another
    transaction raises RuntimeError: a remote broker could not be rolled back either.
    """

    name = "paper"

    def __init__(self, config: Config, market: MarketData | None = None) -> None:
        self._settings = config.paper
        self._max_quote_age = timedelta(seconds=config.limits.max_quote_age_seconds)
        self._market = market or open_market(config)
        self._trial = self._market if isinstance(self._market, TrialMarket) else None

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        """Accept an order and fill at once what the displayed book gives.

        Raises DuplicateOrder for a known id, BrokerRejected with INVALID_ORDER, MARKET_CLOSED
        or NO_MARKET; the last two are transient.
        """
        try:
            session, quote = self._admit(ticket, now)
        except BrokerRejected:
            # A refusal says that nothing works under this id, which must be true.
            if PaperOrder.objects.filter(client_order_id=ticket.client_order_id).exists():
                raise DuplicateOrder(ticket.client_order_id) from None
            raise
        order, fills = self._arrival(ticket, session, quote, now)
        try:
            with transaction.atomic(durable=True):
                order.save(force_insert=True)
                executions = self._book(order, fills)
        except IntegrityError:
            if PaperOrder.objects.filter(client_order_id=ticket.client_order_id).exists():
                raise DuplicateOrder(ticket.client_order_id) from None
            raise
        return _answer(order, executions)

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        """Cancel the rest of an order; one that has ended stays as it is.

        What traded until `now` is filled first. Raises BrokerRejected UNKNOWN_ORDER.
        """
        symbol = (
            PaperOrder.objects.filter(client_order_id=client_order_id)
            .values_list("symbol", flat=True)
            .first()
        )
        if symbol is None:
            raise BrokerRejected("UNKNOWN_ORDER", f"no order {client_order_id}")
        self._match(now, symbol=symbol)
        PaperOrder.objects.filter(
            client_order_id=client_order_id, status=SliceStatus.WORKING
        ).update(status=SliceStatus.CANCELLED, changed_at=now)

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        order = PaperOrder.objects.filter(client_order_id=client_order_id).first()
        if order is None:
            return None
        if order.status == SliceStatus.WORKING:
            self._match(now, symbol=order.symbol)
            order.refresh_from_db()
        return _answer(order, order.executions.order_by("pk"))

    def news(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        """Orders that changed at or after `since`; a change is seen when it is committed, seconds
        after its stamp at worst, so ask with an overlap."""
        self._match(now)
        changed = PaperOrder.objects.filter(account=account, changed_at__gte=since)
        return [
            _answer(order, sorted(order.executions.all(), key=lambda execution: execution.pk))
            for order in changed.prefetch_related("executions").order_by("pk")
        ]

    def _admit(self, ticket: Ticket, now: datetime) -> tuple[Session, Quote]:
        if problem := _problem(ticket):
            raise BrokerRejected("INVALID_ORDER", problem)
        try:
            session = self._market.session(now)
            quote = self._market.quote(ticket.symbol, now)
        except MarketDataUnavailable as error:
            raise BrokerRejected("NO_MARKET", str(error), transient=True) from error
        if session is None or not (session.is_regular(now) or ticket.extended_hours):
            closed = f"{ticket.symbol} does not trade at {now:%Y-%m-%d %H:%M:%S} UTC"
            raise BrokerRejected("MARKET_CLOSED", closed, transient=True)
        if quote is None:
            raise BrokerRejected("NO_MARKET", f"no quote for {ticket.symbol}", transient=True)
        return session, quote

    def _arrival(
        self, ticket: Ticket, session: Session, quote: Quote, now: datetime
    ) -> tuple[PaperOrder, list[PaperFill]]:
        served = self._serves(ticket.symbol, quote, now)
        touch = quote.ask if ticket.side == "BUY" else quote.bid
        marketable = within_limit(ticket.side, touch, ticket.limit_price)
        fills = self._at_once(ticket, quote, now) if served and marketable else []
        order = PaperOrder(
            client_order_id=ticket.client_order_id,
            account=ticket.account,
            symbol=ticket.symbol,
            side=ticket.side,
            quantity=ticket.quantity,
            limit_price=ticket.limit_price,
            status=SliceStatus.WORKING,
            accepted_at=now,
            expires_at=_expiry(session, extended=ticket.extended_hours),
            changed_at=now,
            matched_until=now,
            awaits_print=marketable and not served,
        )
        _count(order, fills)
        return order, fills

    def _serves(self, symbol: str, quote: Quote, now: datetime) -> bool:
        """Whether the displayed book can be believed: it is fresh and something trades."""
        if now - quote.at > self._max_quote_age:
            return False
        return self._trial is None or self._trial.printing(symbol, now) is not None

    def _at_once(self, ticket: Ticket, quote: Quote, now: datetime) -> list[PaperFill]:
        return take_from_book(
            side=ticket.side,
            quantity=ticket.quantity,
            limit=ticket.limit_price,
            quote=quote,
            at=now,
            printing=self._trial.printing(ticket.symbol, now) if self._trial else None,
        )

    def _match(self, now: datetime, *, symbol: str | None = None) -> None:
        """Bring the open orders, of one symbol or of all, up to `now`."""
        open_orders = PaperOrder.objects.filter(status=SliceStatus.WORKING)
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
            .filter(symbol=symbol, status=SliceStatus.WORKING, matched_until__gte=since)
            .order_by("pk")
        )
        resting = [_resting(order) for order in orders]
        match(
            resting,
            bars,
            participation=self._settings.participation,
            displayed=self._settings.displayed_shares,
        )
        until = bars[-1].end if bars else since
        idle = []
        for order, state in zip(orders, resting, strict=True):
            order.matched_until = until
            if state.fills or _is_over(order, now):
                self._advance(order, state, now)
            elif not state.starved:
                idle.append(order.pk)
        PaperOrder.objects.filter(pk__in=idle, matched_until__lt=until).update(matched_until=until)

    def _advance(self, order: PaperOrder, state: Resting, now: datetime) -> None:
        order.awaits_print = state.awaits_print
        order.changed_at = now
        _count(order, state.fills)
        if order.status == SliceStatus.WORKING and _is_over(order, now):
            order.status = SliceStatus.EXPIRED
        order.save(
            update_fields=[
                "filled_quantity", "status", "matched_until", "awaits_print", "changed_at",
            ]
        )  # fmt: skip
        self._book(order, state.fills)

    def _book(self, order: PaperOrder, fills: Sequence[PaperFill]) -> list[PaperExecution]:
        """Store fills that the order's filled quantity already contains."""
        if not fills:
            return []
        filled = order.filled_quantity - sum(fill.quantity for fill in fills)
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
                )
            )
        return PaperExecution.objects.bulk_create(rows)

    def _commission(self, filled: int) -> Decimal:
        return commission_due(
            filled,
            per_share=self._settings.commission_per_share,
            minimum=self._settings.minimum_commission,
        )


def _problem(ticket: Ticket) -> str:
    """What a broker would refuse for good; empty when there is nothing."""
    price = ticket.limit_price
    if ticket.side not in ("BUY", "SELL"):
        return f"side = {ticket.side!r}: BUY or SELL is allowed"
    if ticket.quantity <= 0:
        return f"quantity = {ticket.quantity}: a whole number of shares above 0 is allowed"
    if not price.is_finite() or price <= 0:
        return f"limit_price = {price}: a price above 0 is allowed"
    tick = TICK if price >= 1 else SMALL_TICK
    if price % tick:
        return f"limit_price = {price}: a multiple of {tick} is allowed"
    return ""


def _expiry(session: Session, *, extended: bool) -> datetime | None:
    if session.always:
        return None
    return session.extended_close if extended else session.close


def _is_over(order: PaperOrder, now: datetime) -> bool:
    return order.expires_at is not None and order.expires_at <= now


def _count(order: PaperOrder, fills: Sequence[PaperFill]) -> None:
    order.filled_quantity += sum(fill.quantity for fill in fills)
    if order.filled_quantity == order.quantity:
        order.status = SliceStatus.FILLED


def _resting(order: PaperOrder) -> Resting:
    return Resting(
        side=order.side,
        limit=order.limit_price,
        leaves=order.quantity - order.filled_quantity,
        since=order.matched_until,
        expires=order.expires_at,
        awaits_print=order.awaits_print,
    )


def _answer(order: PaperOrder, executions: Iterable[PaperExecution]) -> BrokerOrder:
    """`executions` are read after the order: whatever else was matched in between is among them."""
    told = tuple(_execution(order, row) for row in executions)
    return BrokerOrder(
        client_order_id=order.client_order_id,
        broker_order_id=f"paper-{order.pk}",
        status=SliceStatus(order.status),
        filled_quantity=sum(execution.quantity for execution in told),
        executions=told,
    )


def _execution(order: PaperOrder, row: PaperExecution) -> Execution:
    return Execution(
        client_order_id=order.client_order_id,
        account=order.account,
        # Row numbers start anew with a new database; the order's own id does not.
        execution_id=f"paper-{row.pk}-{order.client_order_id}",
        quantity=row.quantity,
        price=row.price,
        executed_at=row.executed_at,
        commission=row.commission,
    )
