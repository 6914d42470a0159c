"""The messages from the socket's thread to the ledger's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from execution.domain.algorithms.broker_native import Native


@dataclass(frozen=True, slots=True)
class Connected:
    accounts: tuple[str, ...]
    next_valid_id: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    reason: str


@dataclass(frozen=True, slots=True)
class StatusSeen:
    """An orderStatus, live or in answer to a request."""

    client_id: int
    order_id: int
    perm_id: int
    status: str
    filled: int


@dataclass(frozen=True, slots=True)
class OpenSeen:
    client_id: int
    order_id: int
    perm_id: int
    ref: str
    status: str


@dataclass(frozen=True, slots=True)
class CompletedSeen:
    """An order of today that has ended. The broker names neither its order id nor its client id."""

    perm_id: int
    ref: str
    status: str
    filled: int
    text: str


@dataclass(frozen=True, slots=True)
class ExecutionSeen:
    client_id: int
    order_id: int
    perm_id: int
    ref: str
    account: str
    exec_id: str
    quantity: int
    price: Decimal
    executed_at: datetime


@dataclass(frozen=True, slots=True)
class CommissionSeen:
    exec_id: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ErrorSeen:
    """`request_id` is an order id, a request id, or -1 for what concerns the whole connection."""

    request_id: int
    code: int
    text: str


OrderMessage = StatusSeen | OpenSeen | CompletedSeen | ExecutionSeen | CommissionSeen | ErrorSeen


@dataclass(frozen=True, slots=True)
class RefreshBegan:
    """All orders are asked for now; `at` is monotonic."""

    at: float


@dataclass(frozen=True, slots=True)
class RefreshEnded:
    """Everything asked for since RefreshBegan is in, but for what is named `unanswered`."""

    began: float
    unanswered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """The placement of this row was written to the socket."""

    pk: int
    at: float


@dataclass(frozen=True, slots=True)
class NotSent:
    """Surely not written to the socket; `final` when trying again cannot help."""

    pk: int
    code: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class CancelNotSent:
    pk: int


@dataclass(frozen=True, slots=True)
class Beat:
    """TWS answered; its clock less ours, in seconds, known to the second."""

    skew: float


@dataclass(frozen=True, slots=True)
class Answered:
    pk: int
    answer: Mapping[str, object] | Sequence[object] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Woken:
    """A worker has written something, or it is time to look whether one has."""


Message = (
    Connected | Disconnected | OrderMessage | RefreshBegan | RefreshEnded | Left | NotSent
    | CancelNotSent | Beat | Answered | Woken
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A placement that is committed to its order id."""

    pk: int
    order_id: int
    ref: str
    account: str
    symbol: str
    side: str
    quantity: int
    limit_price: Decimal
    outside_rth: bool
    native: Native | None
