"""The paper broker: what a remote broker does, with its book in the database."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError
from django.db.models import F, Value
from django.db.models.functions import Greatest, Least

from deepstack import django_setup
from deepstack.config import Config
from deepstack.config_copies import checked
from execution.broker.base import (
    AccountState,
    BrokerOrder,
    BrokerRejected,
    DuplicateOrder,
    OpenOrder,
    OutcomeUnknown,
    Ticket,
)
from execution.broker.paper.matching_engine import PaperBook
from execution.broker.paper.matching_rules import (
    PaperFill,
    displayed_ahead,
    problem,
    shares,
    take_from_book,
    within_limit,
)
from execution.broker.paper.order_reports import answer
from execution.broker.paper.venue_faults import fault_profile
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import SliceStatus
from execution.domain.own_impact import Shifts, moved
from execution.domain.session import Session
from execution.market import open_market
from execution.market.base import (
    MarketData,
    MarketDataUnavailable,
    Quote,
    TapeBar,
    TrialMarket,
)
from execution.market.own_impact import OwnImpact, recorded

django_setup.ensure()

from deepstack.database.prepared_query import NEVER, IsAny, Param, Prepared  # noqa: E402
from execution.broker.paper import account as paper_account  # noqa: E402
from execution.models import PaperExecution, PaperOrder  # noqa: E402

_CHANGED = Prepared[PaperOrder](
    lambda: PaperOrder.objects.filter(
        account=Param("account", ""), changed_at__gte=Param("since", NEVER)
    ).order_by("pk")
)
_EXECUTIONS = Prepared[PaperExecution](
    lambda: PaperExecution.objects.filter(IsAny(F("order_id"), Param("orders", [0]))).order_by("pk")
)


class PaperTrader:
    """Fills child orders against a market source, by the rules in `paper_rules`.

    Every call is a transaction of its own, over before it answers. Calling one inside another
    transaction raises RuntimeError: a remote broker could not be rolled back either.
    """

    name = "paper"
    trial = True  # no money can be lost
    on_own_connection = True

    def __init__(self, config: Config, market: MarketData | None = None) -> None:
        self.config = checked(config)
        self._settings = config.paper
        self._max_quote_age = timedelta(seconds=config.limits.max_quote_age_seconds)
        self._market = recorded(market or open_market(config))
        self._impact = OwnImpact(config, self._market)
        self._trial = self._market if isinstance(self._market, TrialMarket) else None
        self._faults = fault_profile(config.paper.faults)
        self._book = PaperBook(config.paper, self._market, self._faults, self._impact)

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        """Accept an order and fill at once what the displayed book gives.

        Raises DuplicateOrder for a known id, BrokerRejected with INVALID_ORDER, MARKET_CLOSED
        or NO_MARKET; the last two are transient. What else it raises is for `paper.faults`.
        """
        if self._faults.loses_request(ticket.client_order_id, now):
            raise OutcomeUnknown("the request got lost: paper.faults.lost_requests")
        with self._in_time(ticket.client_order_id, "place"):
            placed = self._place(ticket, now)
        if self._faults.loses_answer(ticket.client_order_id):
            raise OutcomeUnknown("the answer got lost: paper.faults.lost_answers")
        return placed

    def _place(self, ticket: Ticket, now: datetime) -> BrokerOrder:
        try:
            session, quote = self._admit(ticket, now)
        except BrokerRejected:
            # A refusal says that nothing works under this id, which must be true.
            if PaperOrder.objects.filter(client_order_id=ticket.client_order_id).exists():
                raise DuplicateOrder(ticket.client_order_id) from None
            raise
        order, fills = self._arrival(ticket, session, quote, now)
        printing = self._printing(ticket.symbol, now)
        try:
            executions = self._book.enter(order, fills, now, printing)
        except IntegrityError:
            if PaperOrder.objects.filter(client_order_id=ticket.client_order_id).exists():
                raise DuplicateOrder(ticket.client_order_id) from None
            raise
        return answer(order, executions, self._faults, now)

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        """Cancel the rest of an order; one that has ended stays as it is.

        What traded until `now` is filled first. Raises BrokerRejected UNKNOWN_ORDER.
        """
        with self._in_time(client_order_id, "cancel"):
            self._cancel(client_order_id, now)

    def _cancel(self, client_order_id: str, now: datetime) -> None:
        symbol = (
            PaperOrder.objects.filter(client_order_id=client_order_id)
            .values_list("symbol", flat=True)
            .first()
        )
        if symbol is None:
            raise BrokerRejected("UNKNOWN_ORDER", f"no order {client_order_id}")
        self._book.match(now, symbol=symbol)
        until = self._faults.cancelled_at(client_order_id, now)
        working = PaperOrder.objects.filter(
            client_order_id=client_order_id, status=SliceStatus.WORKING
        )
        changed = Greatest("changed_at", Value(now))
        if until > now:
            ends = Least("expires_at", Value(until))
            working.update(status=SliceStatus.CANCELLING, expires_at=ends, changed_at=changed)
        else:
            working.update(status=SliceStatus.CANCELLED, changed_at=changed)

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        with self._in_time(client_order_id, "find"):
            return self._find(client_order_id, now)

    def _find(self, client_order_id: str, now: datetime) -> BrokerOrder | None:
        order = PaperOrder.objects.filter(client_order_id=client_order_id).first()
        if order is None:
            return None
        if order.status in PaperOrder.OPEN:
            self._book.match(now, symbol=order.symbol)
            order.refresh_from_db()
        return answer(order, list(order.executions.order_by("pk")), self._faults, now)

    def never_arrived(self, client_order_id: str) -> bool:
        """An order is entered on the database connection that holds its sender's lock (see
        `on_own_connection`): who has that lock now knows that all entries before are committed, or
        never will be."""
        return not PaperOrder.objects.filter(client_order_id=client_order_id).exists()

    def reports(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        """Orders that changed at or after `since`; a change is seen when it is committed, seconds
        after its stamp at worst, so ask with an overlap."""
        self._book.match(now)
        changed = _CHANGED.all(account=account, since=since)
        executions: dict[int, list[PaperExecution]] = defaultdict(list)
        for execution in _EXECUTIONS.all(orders=[order.pk for order in changed]):
            executions[execution.order_id].append(execution)
        return [answer(order, executions[order.pk], self._faults, now) for order in changed]

    @contextmanager
    def _in_time(self, client_order_id: str, question: str) -> Iterator[None]:
        """Whatever is answered inside takes the latency of the fault profile."""
        try:
            yield
        finally:
            if latency := self._faults.latency(client_order_id, question):
                time.sleep(latency)

    def account_state(self, account: str, *, now: datetime) -> AccountState:
        self._book.match(now)
        return paper_account.state(account, self._settings, now=now)

    def open_orders(self, account: str, *, now: datetime) -> Sequence[OpenOrder]:
        self._book.match(now)
        return paper_account.open_orders(account)

    def _admit(self, ticket: Ticket, now: datetime) -> tuple[Session, Quote]:
        if wrong := problem(ticket):
            raise BrokerRejected("INVALID_ORDER", wrong)
        if refusal := self._faults.refusal(ticket.client_order_id, now):
            raise refusal
        try:
            session = self._market.session(now)
            quote = self._market.quote(ticket.symbol, now)
        except MarketDataUnavailable as error:
            raise BrokerRejected("NO_MARKET", str(error), transient=True) from error
        if session is None or not (session.is_regular(now) or ticket.extended_hours):
            closed = f"{ticket.symbol} does not trade at {exchange_time(now)}"
            raise BrokerRejected("MARKET_CLOSED", closed, transient=True)
        if quote is None:
            raise BrokerRejected("NO_MARKET", f"no quote for {ticket.symbol}", transient=True)
        return session, quote

    def _arrival(
        self, ticket: Ticket, session: Session, quote: Quote, now: datetime
    ) -> tuple[PaperOrder, list[PaperFill]]:
        served = self._serves(ticket.symbol, quote, now)
        shifts = self._impact.shifts(ticket.symbol, now, quantity=ticket.quantity)
        touch = moved(quote.ask if ticket.side == "BUY" else quote.bid, ticket.side, shifts)
        marketable = within_limit(ticket.side, touch, ticket.limit_price)
        fills = self._at_once(ticket, quote, now, shifts) if served and marketable else []
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
            queue_ahead=0 if marketable else self._queue(ticket, quote),
        )
        return order, fills

    def _queue(self, ticket: Ticket, quote: Quote) -> int:
        displayed = displayed_ahead(ticket.side, ticket.limit_price, quote)
        return self._faults.ahead(ticket.client_order_id, displayed)

    def _serves(self, symbol: str, quote: Quote, now: datetime) -> bool:
        """Whether the displayed book can be believed: it is fresh and something trades."""
        if quote.halt or now - quote.at > self._max_quote_age:
            return False
        return self._trial is None or self._printing(symbol, now) is not None

    def _printing(self, symbol: str, now: datetime) -> TapeBar | None:
        return self._trial.printing(symbol, now) if self._trial else None

    def _at_once(
        self, ticket: Ticket, quote: Quote, now: datetime, shifts: Shifts
    ) -> list[PaperFill]:
        take = partial(
            take_from_book,
            side=ticket.side,
            limit=ticket.limit_price,
            quote=quote,
            at=now,
            printing=self._printing(ticket.symbol, now),
            shifts=shifts,
        )
        fills = take(quantity=ticket.quantity)
        share = self._faults.at_arrival(ticket.client_order_id)
        return fills if share == 1 else take(quantity=int(shares(fills) * share))


def _expiry(session: Session, *, extended: bool) -> datetime | None:
    if session.always:
        return None
    return session.extended_close if extended else session.close
