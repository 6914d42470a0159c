"""One account on both sides: what our records say and what the broker says, settled and compared.

Executions and states that we missed are booked on the way, as the broker's reports always are.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import structlog
from django.db.models import Case, F, Q, Sum, When
from django.utils import timezone

from deepstack.database.advisory_locks import POLL, try_session_lock, unlock_session
from execution.booking import broker_feed, execution_reports
from execution.broker.base import (
    AccountBroker,
    AccountState,
    BrokerError,
    BrokerOrder,
    BrokerUnavailable,
    TooSoon,
)
from execution.broker.order_manager import answered
from execution.context import Context
from execution.domain import reconciliation as rules
from execution.domain.lifecycle import SLICE_AT_BROKER, SLICE_TERMINAL, SliceStatus
from execution.domain.reconciliation import Child, Difference, Kind, Open
from execution.market import clock
from execution.models import BrokerAccount, BrokerCursor, Fill, Slice
from execution.models.orders import Side
from execution.reconciliation import breaks
from execution.sending import resolver

log = structlog.get_logger(__name__)

T = TypeVar("T")

DAY = timedelta(days=1)
# The executions of this time are compared one by one; a little less than what is read.
JUDGED = timedelta(hours=20)
# What one snapshot finds and the next does not was under way.
PAUSES = (0.5, 1.0)  # seconds
# A break of a position must outlast these, too, while our own executions may be under way.
LATE_PAUSES = (3.0, 5.0)
LATELY = timedelta(minutes=1)
QUESTION_PAUSES = (0.2, 0.5, 1.0)  # seconds, after a question that failed
HEARING_SECONDS = 30.0
ANSWERED = frozenset({SliceStatus.WORKING, SliceStatus.CANCELLING})
ZERO = Decimal(0)
_SIGN = Case(When(order__side=Side.BUY, then=1), default=-1)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What our fills make of an account that had nothing: shares by symbol, and money."""

    positions: Mapping[str, int]
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Snapshot:
    found: Sequence[Difference]
    state: AccountState
    ours: Holdings


@dataclass(frozen=True, slots=True)
class Fills:
    """`judged`: the client order ids of the children whose executions were compared."""

    found: Sequence[Difference] = ()
    judged: Sequence[str] = ()


class AccountComparison:
    """Of the account of a row. Every method raises the broker's BrokerUnavailable and
    OutcomeUnknown when a question stays unanswered: a failure is never an empty answer."""

    def __init__(
        self,
        broker: AccountBroker,
        row: BrokerAccount,
        context: Context,
        sleep: Callable[[float], None],
    ) -> None:
        self._broker = broker
        self._row = row
        self._account = row.account
        self._context = context
        self._sleep = sleep

    def steady(self) -> Snapshot:
        """A snapshot whose findings all before it had as well. Somebody else's order is certain at
        first sight: ours are stored before they are sent."""
        snapshot = self._again(self._snapshot(), PAUSES)
        broken = [each for each in snapshot.found if each.kind == Kind.POSITION]
        if broken and self._is_lively({each.symbol for each in broken}):
            snapshot = self._again(snapshot, LATE_PAUSES)
        return self._explained(snapshot)

    def _again(self, snapshot: Snapshot, pauses: Sequence[float]) -> Snapshot:
        for pause in pauses:
            if all(each.kind == Kind.EXTERNAL_ORDER for each in snapshot.found):
                break
            occasions = {each.occasion for each in snapshot.found}
            self._sleep(pause)
            again = self._snapshot()
            kept = [
                each
                for each in again.found
                if each.kind == Kind.EXTERNAL_ORDER or each.occasion in occasions
            ]
            snapshot = Snapshot(kept, again.state, again.ours)
        return snapshot

    def _is_lively(self, symbols: set[str]) -> bool:
        """Whether executions of ours in one of the symbols may be under way; a broker can count
        them in the position seconds before it reports them."""
        now = self._context.now()
        lately = Q(status__in=SLICE_AT_BROKER) | Q(sent_at__gte=now - LATELY * clock.speed())
        return Slice.objects.filter(
            lately, order__account=self._account, order__symbol__in=symbols
        ).exists()

    def _explained(self, snapshot: Snapshot) -> Snapshot:
        """Breaks of positions with the orders that were sent under ids of ours and are not in this
        database: after a restore of an older one they are the cause."""
        if not any(each.kind == Kind.POSITION for each in snapshot.found):
            return snapshot
        strangers = self._unknown_here()
        found = [
            replace(each, words=each.words + rules.strangers(strangers, each.symbol))
            if each.kind == Kind.POSITION
            else each
            for each in snapshot.found
        ]
        return Snapshot(found, snapshot.state, snapshot.ours)

    def _unknown_here(self) -> list[rules.Stranger]:
        """What the broker has reported since yesterday under ids of ours that no slice has."""
        try:
            reported = self._poll(since=self._context.now() - DAY * clock.speed())
        except BrokerError as error:
            log.warning("the cause of a break is not known", error=str(error))
            return []
        ours = [each for each in reported if rules.is_our_id(each.client_order_id)]
        names = [each.client_order_id for each in ours]
        known = Slice.objects.filter(client_order_id__in=names)
        here = set(known.values_list("client_order_id", flat=True))
        return [
            rules.Stranger(each.client_order_id, each.symbol, _shares(each))
            for each in ours
            if each.client_order_id not in here
        ]

    def fills(self) -> Fills:
        """Every child that the broker reports, or that we booked executions of, since yesterday,
        and those that differed before."""
        now = self._context.now()
        reported = {
            seen.client_order_id: seen for seen in self._poll(since=now - DAY * clock.speed())
        }
        open_differences = breaks.still_open(self._row)
        differed = [each.subject for each in open_differences if each.kind == Kind.FILL]
        parts = Slice.objects.filter(
            Q(fills__executed_at__gte=now - JUDGED * clock.speed())
            | Q(client_order_id__in=[*reported, *differed]),
            order__account=self._account,
            broker=self._row.broker,
        )
        found, judged = list[Difference](), list[str]()
        for part in parts.select_related("order").distinct().order_by("pk"):
            seen = reported.get(part.client_order_id)
            difference = None if seen is None else _of_fills(part, seen)
            if seen is None or difference is not None:
                difference = self._looked_up(part)
            found += [difference] if difference is not None else []
            judged.append(part.client_order_id)
        return Fills(found, judged)

    def _snapshot(self) -> Snapshot:
        self._poll()
        found = self._orders()
        before = self._holdings()
        state = self._ask(
            lambda: answered(self._broker.account_state, self._account, now=self._context.now())
        )
        skew = state.at - timezone.now()
        after = self._holdings()
        if self._of_holdings(before, after, state):
            # What was executed before the broker answered is in these reports.
            self._poll()
            after = self._holdings()
        found += self._of_holdings(before, after, state)
        if self._context.config.trading_mode == "live":
            found += rules.clock(skew)
        return Snapshot(found, state, after)

    def _of_holdings(
        self, before: Holdings, after: Holdings, state: AccountState
    ) -> list[Difference]:
        row = self._row
        if row.accepted_at_real is None:
            return []  # whatever is there was there before us
        found = rules.positions(
            before.positions, after.positions, row.positions_beside, state.positions
        )
        if not state.in_dollars:
            return found  # what our fills cost is in dollars
        tolerance = self._context.config.execution.comparison.cash_tolerance
        return [
            *found,
            *rules.cash(before.cash, after.cash, row.cash_beside, state.cash, tolerance),
        ]

    def _holdings(self) -> Holdings:
        """By the fills at this broker: another one's are in another account, whatever its name."""
        fills = Fill.objects.filter(broker=self._row.broker, order__account=self._account)
        rows = fills.values_list("order__symbol").annotate(
            shares=Sum(_SIGN * F("quantity")),
            spent=Sum(_SIGN * F("quantity") * F("price")),
            fees=Sum("commission"),
        )
        positions, money = dict[str, int](), ZERO
        for symbol, shares, spent, fees in rows.order_by():
            positions[symbol] = shares
            money -= spent + (fees or ZERO)
        return Holdings(positions, money)

    def _orders(self) -> list[Difference]:
        """What is still different after each doubtful child was looked up."""
        parts = self._answered()  # before the question: later ones are no difference
        there = self._listed()
        doubtful = _doubtful(parts, there)
        if doubtful:
            for part in doubtful:
                self._settle(part)
            there = self._listed()
        ours = _ours(there)
        known = {part.pk for part in [*parts, *ours]}
        children = [
            _child(part)
            for part in Slice.objects.filter(pk__in=known).select_related("order").order_by("pk")
            if part.status in ANSWERED | SLICE_TERMINAL
        ]
        names = [part.client_order_id for part in ours]
        return [*rules.external_orders(names, there), *rules.orders(children, there)]

    def _answered(self) -> list[Slice]:
        """The children that the broker has acknowledged and not ended."""
        rows = Slice.objects.filter(
            status__in=ANSWERED, order__account=self._account, broker=self._row.broker
        )
        return list(rows.select_related("order"))

    def _listed(self) -> list[Open]:
        rows = self._ask(
            lambda: answered(self._broker.open_orders, self._account, now=self._context.now())
        )
        return [
            Open(each.client_order_id, each.broker_order_id, each.symbol, each.side, each.leaves)
            for each in rows
        ]

    def _settle(self, part: Slice) -> None:
        """Take over what the broker says of one child; one that has ended here and works there is
        cancelled there."""
        try:
            if part.status in SLICE_AT_BROKER:
                resolver.resolve(part.pk, self._context)
                return
            seen = self._context.broker.find(part.client_order_id, now=self._context.now())
            if seen is not None:
                execution_reports.try_book_report(part, seen, self._context)
        except BrokerError as error:
            log.warning("not settled", client_order_id=part.client_order_id, error=str(error))

    def _looked_up(self, part: Slice) -> Difference | None:
        """Twice, because an execution may be booked between the answer and our look at it."""
        difference = None
        for pause in PAUSES:
            seen = self._ask(
                lambda: self._context.broker.find(part.client_order_id, now=self._context.now())
            )
            if seen is not None:
                execution_reports.try_book_report(part, seen, self._context)
            part.refresh_from_db(fields=["filled_quantity"])
            difference = _of_fills(part, seen)
            if difference is None:
                return None
            self._sleep(pause)
        return difference

    def _poll(self, since: datetime | None = None) -> Sequence[BrokerOrder]:
        """Take the broker's news over, waiting for the turn of whoever hears them now; empty where
        somebody else has taken them over meanwhile."""
        began, deadline = self._context.now(), time.monotonic() + HEARING_SECONDS
        polled = BrokerCursor.objects.filter(
            broker=self._row.broker, account=self._account, heard_until__gte=began
        )
        while since is not None or not polled.exists():
            if try_session_lock(POLL):
                try:
                    return self._ask(
                        lambda: broker_feed.catch_up(self._account, self._context, since=since)
                    )
                except TooSoon:
                    pass
                finally:
                    unlock_session(POLL)
            if time.monotonic() > deadline:
                raise BrokerUnavailable("the broker's reports could not be read in time")
            self._sleep(0.2)
        return ()

    def _ask(self, question: Callable[[], T]) -> T:
        """The answer to a question that changes nothing, which a moment's failure does not end."""
        for pause in QUESTION_PAUSES:
            try:
                return question()
            except TooSoon:
                raise
            except BrokerError as error:
                log.info("asked again", error=str(error))
                self._sleep(pause)
        return question()


def _ours(there: Sequence[Open]) -> list[Slice]:
    names = [each.client_order_id for each in there if each.client_order_id]
    return list(Slice.objects.filter(client_order_id__in=names).select_related("order"))


def _doubtful(parts: Sequence[Slice], there: Sequence[Open]) -> list[Slice]:
    shown = {each.client_order_id: each.leaves for each in there}
    return [
        *(part for part in parts if shown.get(part.client_order_id) != part.leaves),
        *(part for part in _ours(there) if part.is_terminal),
    ]


def _child(part: Slice) -> Child:
    return Child(
        client_order_id=part.client_order_id,
        symbol=part.order.symbol,
        status=part.status,
        leaves=part.leaves,
        ended=part.is_terminal,
    )


def _of_fills(part: Slice, seen: BrokerOrder | None) -> Difference | None:
    theirs = None if seen is None else _shares(seen)
    return rules.fills(part.client_order_id, part.order.symbol, part.filled_quantity, theirs)


def _shares(seen: BrokerOrder) -> int:
    """Executed, each execution at its latest revision."""
    latest = {}
    for execution in sorted(seen.executions, key=lambda execution: execution.revision):
        latest[execution.key] = execution.quantity
    return sum(latest.values())
