"""The paper broker under the contract: its wire is the database, its market follows a script."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import current_thread, main_thread

import pytest
from django.db import connections
from typing_extensions import override

from deepstack.config import Config, Paper
from deepstack.config_paper import PaperFaults, PaperImpact
from execution.broker.base import Broker, BrokerOrder, Ticket
from execution.broker.paper.venue_faults import FaultProfile
from execution.broker.paper_trader import PaperTrader
from execution.domain.lifecycle import SliceStatus
from execution.domain.session import Session
from execution.market.base import Quote, TapeBar
from execution.models import PaperExecution, PaperOrder
from tests.brokers.contract import BrokerContract
from tests.brokers.rig import PRICE, Can, Refusal, Rig

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 11, 20, 15, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STILL = PaperImpact(coefficient=0)  # the tape of a test is what its orders are filled at
ONE_PROCESS = "it has no wire that could break, only the database"


@dataclass
class ScriptedMarket:
    """Nothing trades but what a test says; the displayed book is out of every order's reach."""

    name: str = "scripted"
    tape: list[TapeBar] = field(default_factory=list)
    silent: bool = False
    close: datetime = START + timedelta(hours=1)

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        far = Quote(symbol, at, Decimal("0.01"), Decimal("999999.00"), 100, 100)
        return None if self.silent else far

    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        return [
            bar for bar in self.tape if bar.symbol == symbol and start <= bar.start < bar.end <= end
        ]

    def session(self, at: datetime) -> Session | None:
        opens = START - timedelta(hours=1)
        if not opens <= at < self.close:
            return None
        return Session(START.date(), opens, self.close, opens, self.close)

    def next_session(self, at: datetime) -> Session:
        raise LookupError(f"no session after {at}")


class _Trader(PaperTrader):
    """Lets threads of a test end without leaving connections behind."""

    @override
    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        try:
            return super().place(ticket, now=now)
        finally:
            if current_thread() is not main_thread():
                connections.close_all()


class _Passing(_Trader):
    """Its faults strike one placement; from the next on it is calm."""

    @override
    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        try:
            return super().place(ticket, now=now)
        finally:
            self._faults = FaultProfile()


class PaperRig(Rig):
    """Each order has a symbol of its own, so that its executions are its own."""

    lacks: Mapping[Can, str] = {
        Can.CORRECT: "it never errs",
        Can.FILL_LATE: "an order that has ended executes no more; at worst it is told late",
        Can.HANG: ONE_PROCESS,
        Can.BREAK: ONE_PROCESS,
        Can.OWN_CLOCK: "it goes by the caller's",
    }
    refusals = (
        Refusal("INVALID_ORDER", ticket={"quantity": 0}),
        Refusal("INVALID_ORDER", ticket={"side": "HOLD"}),
        Refusal("INVALID_ORDER", ticket={"limit_price": Decimal("150.255")}),
        Refusal("REFUSED_BY_FAULT_PROFILE", lambda rig: _strike(rig, permanent_rejects=1)),
        Refusal("RATE_LIMITED", lambda rig: _strike(rig, transient_rejects=1), transient=True),
        Refusal("NO_MARKET", lambda rig: _market(rig, silent=True), transient=True),
        Refusal("MARKET_CLOSED", lambda rig: _market(rig, close=START), transient=True),
    )

    def __init__(self) -> None:
        self.market = ScriptedMarket()
        self.config = Config(paper=Paper(participation=Decimal(1), impact=STILL))
        self.broker: Broker = self.another()
        self._now = START
        self._symbols = 0

    @override
    def now(self) -> datetime:
        return self._now

    @override
    def another(self) -> Broker:
        return _Trader(self.config, self.market)

    @override
    def ticket(self, **changes: object) -> Ticket:
        self._symbols += 1
        return super().ticket(**{"symbol": f"T{self._symbols}", **changes})

    @override
    def fill(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        symbol = PaperOrder.objects.get(client_order_id=client_order_id).symbol
        bar = TapeBar(symbol, self._now, SECOND, price, price, price, price, quantity, price)
        self.market.tape.append(bar)
        self._now += SECOND

    @override
    def accepted(self, client_order_id: str) -> int:
        return PaperOrder.objects.filter(client_order_id=client_order_id).count()

    @override
    def repeat_executions(self, client_order_id: str) -> None:
        self.broker = _Trader(self._misbehaving(repeated_executions=1), self.market)

    @override
    def hold_cancels(self) -> None:
        self.broker = _Trader(self._misbehaving(cancel_seconds=600), self.market)

    @override
    def lose_answer(self) -> None:
        self.strike(lost_answers=1)

    @override
    def lose_request(self) -> None:
        self.strike(lost_requests=1)

    @override
    def limit_rate(self) -> None:
        self.strike(transient_rejects=1)

    def strike(self, **faults: float) -> None:
        """The next placement meets these faults."""
        self.broker = _Passing(self._misbehaving(**faults), self.market)

    def _misbehaving(self, **faults: float) -> Config:
        made = PaperFaults.model_validate(faults)
        paper = self.config.paper.model_copy(update={"faults": made})
        return self.config.model_copy(update={"paper": paper})

    @override
    def set_account(
        self, *, cash: Decimal, buying_power: Decimal, positions: Mapping[str, int]
    ) -> None:
        """Executions at no price move shares alone; buying power is twice the cash."""
        assert buying_power == 2 * cash
        self.config = Config(paper=Paper(participation=Decimal(1), cash=cash, impact=STILL))
        self.broker = self.another()
        for symbol, shares in positions.items():
            order = self._foreign(symbol, "BUY" if shares > 0 else "SELL", abs(shares), "FILLED")
            order.filled_quantity = order.quantity
            order.save()
            PaperExecution.objects.create(
                order=order, quantity=abs(shares), price=0, commission=0, executed_at=self._now
            )

    @override
    def foreign_order(self, symbol: str, side: str, quantity: int) -> None:
        self._foreign(symbol, side, quantity, "WORKING")

    def _foreign(self, symbol: str, side: str, quantity: int, status: str) -> PaperOrder:
        return PaperOrder.objects.create(
            client_order_id=f"foreign-{symbol}",
            account=self.account,
            symbol=symbol,
            side=side,
            quantity=quantity,
            limit_price=PRICE,
            status=status,
            accepted_at=self._now,
            changed_at=self._now,
            matched_until=self._now,
        )

    @override
    def end(self, client_order_id: str, status: SliceStatus) -> None:
        assert status == SliceStatus.EXPIRED
        self._now = self.market.close


def _market(rig: Rig, **change: object) -> None:
    assert isinstance(rig, PaperRig)
    for name, value in change.items():
        setattr(rig.market, name, value)


def _strike(rig: Rig, **faults: float) -> None:
    assert isinstance(rig, PaperRig)
    rig.strike(**faults)


class TestContract(BrokerContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return PaperRig()

    @pytest.mark.parametrize("status", [SliceStatus.EXPIRED])
    @override
    def test_an_end_that_nobody_asked_for_is_seen(
        self, rig: Rig, able: Callable[[Can], None], status: SliceStatus
    ) -> None:
        """Only the close of the session ends a paper order."""
        super().test_an_end_that_nobody_asked_for_is_seen(rig, able, status)
