"""What a broker does for us, what it answers, and what each of its errors means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from execution.domain.algorithms.broker_native import Native
from execution.domain.lifecycle import SliceStatus

DOLLARS = "USD"


class BrokerError(Exception):
    """Base of the three things that can go wrong; each says what comes next."""


class BrokerRejected(BrokerError):
    """A definite refusal: nothing works at the broker under this id. Final for this child.

    `code` is stable; `text` is the broker's, untouched. `transient` refusals (rate limits,
    a venue that is not ready) may be tried again with the same id, not before `retry_after`.
    """

    def __init__(
        self, code: str, text: str, *, transient: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.transient = transient
        self.retry_after = retry_after  # seconds


class DuplicateOrder(BrokerError):
    """The broker has this client order id already: the order arrived earlier."""


class BrokerUnavailable(BrokerError):
    """Surely not sent: the request never left. Try later with the same id."""


class TooSoon(BrokerUnavailable):
    """The broker was polled a moment ago and the message budget allows no more; ask again later."""


class OutcomeUnknown(BrokerError):
    """The request left and no usable answer came. Ask by client order id before anything else."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A child order as it leaves: a limit order for whole shares, good for the day. `native`: the
    algorithm of the broker that is to work it; only a NativeBroker may be given one."""

    client_order_id: str
    account: str
    symbol: str
    side: str
    quantity: int
    limit_price: Decimal
    extended_hours: bool = False
    native: Native | None = None


ExecutionKey = tuple[str, str]  # account, execution id: one execution, whatever its revision


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution report. `quantity` is of this execution alone."""

    client_order_id: str
    account: str
    execution_id: str
    quantity: int
    price: Decimal
    executed_at: datetime
    commission: Decimal | None = None  # None: not reported yet
    revision: int = 0

    @property
    def key(self) -> ExecutionKey:
        return self.account, self.execution_id


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """The broker's view of one child order.

    `status` is WORKING, CANCELLING, FILLED, CANCELLED, EXPIRED or REJECTED. `executions` are
    those known with this answer; more may follow, also after a terminal status. `symbol` is empty
    where the broker does not tell it.
    """

    client_order_id: str
    broker_order_id: str
    status: SliceStatus
    filled_quantity: int
    executions: Sequence[Execution] = ()
    reason: str = ""
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as the broker sees it. `at` is the broker's own clock when it answered; `currency`
    is that of its cash and buying power, which are no dollars where it is another."""

    account: str
    at: datetime
    cash: Decimal
    buying_power: Decimal
    positions: Mapping[str, int]  # shares by symbol, short ones negative; nothing held: absent
    currency: str = DOLLARS

    @property
    def in_dollars(self) -> bool:
        return self.currency == DOLLARS


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that may still execute, whoever placed it; `client_order_id` may be empty."""

    client_order_id: str
    broker_order_id: str
    symbol: str
    side: str
    leaves: int


class Broker(Protocol):
    """One connection to one broker. Every call returns or raises within a bounded time."""

    name: str

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        """Send a child order. Raises BrokerRejected, DuplicateOrder, BrokerUnavailable or
        OutcomeUnknown; anything else that escapes is treated as OutcomeUnknown."""
        ...

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        """Ask for a cancel. Returning means requested, not confirmed."""
        ...

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        """The order with all its executions; None is a definite "never arrived".

        Raises BrokerUnavailable or OutcomeUnknown where the broker cannot say.
        """
        ...

    def reports(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        """Orders of the account that changed or were executed after `since`; repeats are fine."""
        ...


@runtime_checkable
class AccountBroker(Broker, Protocol):
    """A broker that can be compared with our own records.

    Both raise BrokerUnavailable or OutcomeUnknown; a failure is never an empty answer.
    """

    def account_state(self, account: str, *, now: datetime) -> AccountState: ...

    def open_orders(self, account: str, *, now: datetime) -> Sequence[OpenOrder]:
        """Every open order of the account, those of other programs and people included."""
        ...


@runtime_checkable
class ProvingBroker(Broker, Protocol):
    """A broker whose silence about an id can be a proof.

    Others say "not found" also of a request that is still under way to them.
    """

    def never_arrived(self, client_order_id: str) -> bool:
        """After a "not found", while nobody sends the id: whether no earlier request of it can
        come through any more."""
        ...


@runtime_checkable
class LocalBroker(Broker, Protocol):
    """A broker whose book is in our own database."""

    on_own_connection: bool  # `place` is to be called where its sender's lock is held


@runtime_checkable
class LoginBroker(Broker, Protocol):
    """A broker whose login has some accounts and no others."""

    def accounts(self) -> Sequence[str]:
        """What an order's account may be; empty while the broker has not said."""
        ...


@runtime_checkable
class NativeBroker(Broker, Protocol):
    """A broker with algorithms of its own, named as in `algorithms.broker_native.NATIVES`."""

    natives: frozenset[str]
