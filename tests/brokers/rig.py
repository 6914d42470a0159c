"""One broker under test, and the hand on the other side of its wire."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from time import monotonic

from execution.broker.base import (
    Broker,
    BrokerOrder,
    BrokerUnavailable,
    OutcomeUnknown,
    Ticket,
)
from execution.domain.lifecycle import SliceStatus
from tests.stack import wait_for

PATIENCE = 10.0  # seconds, for what a broker tells a moment later
PRICE = Decimal("150.25")
_numbers = count(1)


class Can(Enum):
    """What some brokers have no notion of."""

    CORRECT = "execution corrections"
    REPEAT = "executions told more than once"
    FILL_LATE = "executions after the order has ended"
    HOLD_CANCEL = "cancels that wait for the exchange"
    LOSE = "an answer or a request that gets lost"
    HANG = "a connection that falls silent"
    BREAK = "a broker that cannot be reached"
    LIMIT_RATE = "a limit on messages"
    SHOW_ACCOUNT = "account, positions and orders of others"
    OWN_CLOCK = "a clock of its own"
    END_UNASKED = "orders that the exchange ends by itself"
    REFUSE = "refusals of an order"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way in which the broker says no to a placement, and what must come of it.

    `provoke` arms it for the next placement; `ticket` replaces fields of the ordinary ticket.
    """

    code: str
    provoke: Callable[["Rig"], object] = lambda rig: None
    ticket: Mapping[str, object] = field(default_factory=dict)
    transient: bool = False


class Rig(ABC):
    """A broker under test and the exchange behind it. Quantities are shares.

    The exchange starts empty and open, holds every order it accepts (nothing fills unless the rig
    is told to fill it) and has money for ordinary orders.
    """

    account: str = "default"
    symbol: str = "AAPL"
    lacks: Mapping[Can, str] = {}
    refusals: Sequence[Refusal] = ()
    lists_unasked = False  # a regular list of its orders may come before the answer to one of them
    broker: Broker

    @abstractmethod
    def now(self) -> datetime:
        """Trading time as the caller of the broker would pass it."""

    @abstractmethod
    def another(self) -> Broker:
        """The same broker as opened by another process, or after a restart: it knows nothing of
        what `broker` did. The rig closes it."""

    @abstractmethod
    def fill(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        """The exchange executes this many shares of an open order."""

    @abstractmethod
    def accepted(self, client_order_id: str) -> int:
        """How many orders the exchange accepted under this id, ever; from its own log."""

    def fill_late(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        """Executes shares of an order that has ended."""
        raise NotImplementedError

    def repeat_executions(self, client_order_id: str) -> None:
        """Tells all executions of the order once more."""
        raise NotImplementedError

    def correct(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        """Replaces the numbers of the order's last execution."""
        raise NotImplementedError

    def hold_cancels(self) -> None:
        """From now on cancels are acknowledged as requested and never carried out."""
        raise NotImplementedError

    def end(self, client_order_id: str, status: SliceStatus) -> None:
        """The exchange ends the order by itself: CANCELLED, EXPIRED or REJECTED."""
        raise NotImplementedError

    def lose_answer(self) -> None:
        """The next placement is accepted, but its answer never gets back."""
        raise NotImplementedError

    def lose_request(self) -> None:
        """The next placement is lost on its way after it left; the exchange never sees it."""
        raise NotImplementedError

    def hang(self) -> None:
        """From now on the other side takes what is sent and answers nothing."""
        raise NotImplementedError

    def break_connection(self) -> None:
        """From now on the broker cannot be reached at all."""
        raise NotImplementedError

    def limit_rate(self) -> None:
        """The next placement is refused because of too many messages."""
        raise NotImplementedError

    def set_clock(self, skew: timedelta) -> None:
        """The broker's clock is this far ahead of ours."""
        raise NotImplementedError

    def set_account(
        self, *, cash: Decimal, buying_power: Decimal, positions: Mapping[str, int]
    ) -> None:
        raise NotImplementedError

    def foreign_order(self, symbol: str, side: str, quantity: int) -> None:
        """Somebody else places an order in the same account that stays open."""
        raise NotImplementedError

    def ticket(self, **changes: object) -> Ticket:
        """A buy of 100 shares under an id never used before."""
        fields = {
            "client_order_id": f"contract-{monotonic():.6f}-{next(_numbers)}",
            "account": self.account,
            "symbol": self.symbol,
            "side": "BUY",
            "quantity": 100,
            "limit_price": PRICE,
        }
        return Ticket(**fields | changes)  # type: ignore[arg-type]

    def placed(self, **changes: object) -> Ticket:
        """An ordinary ticket that the broker has taken."""
        ticket = self.ticket(**changes)
        self.broker.place(ticket, now=self.now())
        return ticket

    def find(self, ticket: Ticket) -> BrokerOrder | None:
        return self.broker.find(ticket.client_order_id, now=self.now())

    def sees(
        self, ticket: Ticket, condition: Callable[[BrokerOrder], bool], what: str
    ) -> BrokerOrder:
        """The order, as soon as a look-up shows it so; a moment's ignorance is forgiven."""

        def look() -> BrokerOrder | None:
            with suppress(BrokerUnavailable, OutcomeUnknown):
                seen = self.find(ticket)
                if seen is not None and condition(seen):
                    return seen
            return None

        seen = wait_for(look, PATIENCE, f"{ticket.client_order_id} to be {what}")
        assert seen is not None
        return seen

    def sees_filled(self, ticket: Ticket, quantity: int) -> BrokerOrder:
        """The order with so many shares filled and all of their executions."""
        return self.sees(
            ticket,
            lambda seen: seen.filled_quantity == quantity == executed(seen),
            f"filled for {quantity}",
        )


def executed(seen: BrokerOrder) -> int:
    """Shares in the executions, each id counted once at its highest revision."""
    latest = {}
    for execution in sorted(seen.executions, key=lambda execution: execution.revision):
        latest[execution.account, execution.execution_id] = execution.quantity
    return sum(latest.values())


def ids(seen: BrokerOrder) -> list[str]:
    return sorted(execution.execution_id for execution in seen.executions)
