"""TWS's callbacks, as messages. Runs in the socket's thread; nothing here may raise."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import structlog
from django.utils import timezone

from execution.broker.ibkr.error_codes import CLIENT_ID_IN_USE
from execution.broker.ibkr.halted_ticks import HaltedTicks
from execution.broker.ibkr.messages import (
    CommissionSeen,
    CompletedSeen,
    ErrorSeen,
    ExecutionSeen,
    Message,
    OpenSeen,
    StatusSeen,
)
from execution.domain.exchange_time import of_either_hour

log = structlog.get_logger(__name__)

LIVE = -1  # the request id of an execution that nobody asked for
MOST_SHARES, MOST_PRICE = 1e12, 1e7
UNSET = 1e300  # TWS writes the greatest double for a number that it does not have


class Callbacks:
    """Receives what TWS sends on one connection. `next_valid_id` is 0 until TWS has named it.
    `parts`: how many parts of answers have arrived; it grows while a long answer comes."""

    def __init__(self, post: Callable[[Message], None], halted: HaltedTicks) -> None:
        self._post = post
        self._halted = halted
        self.next_valid_id = 0
        self.parts = 0
        self.refused = ""
        self.on_refused: Callable[[], None] = lambda: None

    def nextValidId(self, order_id: int) -> None:  # noqa: N802
        self.next_valid_id = order_id

    def managedAccounts(self, accounts: str) -> None:  # noqa: N802
        pass

    def openOrder(  # noqa: N802
        self, order_id: int, contract: Any, order: Any, state: Any
    ) -> None:
        self.parts += 1
        self._post(OpenSeen(order.clientId, order_id, order.permId, order.orderRef, state.status))

    def orderStatus(  # noqa: N802
        self, order_id: int, status: str, filled: float, remaining: float, average: float,
        perm_id: int, parent_id: int, last: float, client_id: int, *_: Any,
    ) -> None:  # fmt: skip
        self._post(StatusSeen(client_id, order_id, perm_id, status, _count(filled)))

    def completedOrder(  # noqa: N802
        self, contract: Any, order: Any, state: Any
    ) -> None:
        self.parts += 1
        filled, text = _count(order.filledQuantity), state.completedStatus
        self._post(CompletedSeen(order.permId, order.orderRef, state.status, filled, text))

    def execDetails(  # noqa: N802
        self, request_id: int, contract: Any, execution: Any
    ) -> None:
        self.parts += request_id != LIVE
        if not _whole(execution.shares) or not 0 < execution.price < MOST_PRICE:
            log.error("an execution that cannot be read, not booked", execution=str(execution))
            return
        self._post(
            ExecutionSeen(
                client_id=execution.clientId,
                order_id=execution.orderId,
                perm_id=execution.permId,
                ref=execution.orderRef,
                account=execution.acctNumber,
                exec_id=execution.execId,
                quantity=int(execution.shares),
                price=Decimal(str(execution.price)),
                executed_at=of_either_hour(execution.time, now=timezone.now()),
            )
        )

    def commissionReport(self, report: Any) -> None:  # noqa: N802
        if report.commission < UNSET:
            amount = Decimal(str(report.commission))
            self._post(CommissionSeen(report.execId, amount, report.currency))

    def tickGeneric(self, request_id: int, kind: int, value: float) -> None:  # noqa: N802
        self._halted.on_tick(request_id, kind, value)

    def error(self, request_id: int, code: int, text: str, *_: Any) -> None:
        if code == CLIENT_ID_IN_USE:
            self.refused = text
            self.on_refused()
        self._halted.on_error(request_id, code, text)
        self._post(ErrorSeen(request_id, code, text))


def _whole(shares: float) -> bool:
    """Neither a part of a share nor a number that TWS does not have."""
    return 0 <= shares <= MOST_SHARES and shares == int(shares)


def _count(shares: float) -> int:
    """What TWS does not know counts as nothing: executions decide."""
    return int(shares) if 0 <= shares <= MOST_SHARES else 0
