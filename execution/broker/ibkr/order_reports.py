"""A row of the ledger as the answer to a worker."""

from collections.abc import Iterable, Sequence

from django.db.models import F

from deepstack.database.prepared_query import IsAny, Param, Prepared
from execution.broker.base import BrokerOrder, Execution
from execution.domain.lifecycle import SliceStatus
from execution.models import IbkrExecution, IbkrOrder

S = IbkrOrder.Stage

STATUS = {
    S.WORKING: SliceStatus.WORKING,
    S.CANCELLING: SliceStatus.CANCELLING,
    S.FILLED: SliceStatus.FILLED,
    S.CANCELLED: SliceStatus.CANCELLED,
    S.REJECTED: SliceStatus.REJECTED,
}
FIRST_REVISION = 1
_EXECUTIONS = Prepared[IbkrExecution](
    lambda: IbkrExecution.objects.filter(IsAny(F("order"), Param("orders", [0])))
)


def answers(rows: Sequence[IbkrOrder]) -> list[BrokerOrder]:
    """For rows whose stages are in STATUS."""
    executions = executions_of(rows)
    return [_answer(row, latest(executions[row.pk])) for row in rows]


def executions_of(rows: Iterable[IbkrOrder]) -> dict[int, list[IbkrExecution]]:
    """All that was reported of each row, by the row's key."""
    found: dict[int, list[IbkrExecution]] = {row.pk: [] for row in rows}
    for each in _EXECUTIONS.all(orders=list(found)):
        found[each.order_id].append(each)
    return found


def _answer(row: IbkrOrder, executions: Sequence[IbkrExecution]) -> BrokerOrder:
    filled = filled_quantity(row, executions)
    status = STATUS[S(row.stage)]
    if executed(executions) >= row.quantity:
        status = SliceStatus.FILLED  # the executions may have been read a moment after the row
    elif status == SliceStatus.FILLED and filled < row.quantity:
        status = SliceStatus.CANCELLED  # a correction took shares back
    return BrokerOrder(
        client_order_id=row.client_order_id,
        broker_order_id=str(row.perm_id or ""),
        status=status,
        filled_quantity=filled,
        executions=tuple(_execution(row, each) for each in executions),
        reason=_reason(row) if status in (SliceStatus.CANCELLED, SliceStatus.REJECTED) else "",
        symbol=row.symbol,
    )


def filled_quantity(row: IbkrOrder, executions: Iterable[IbkrExecution]) -> int:
    """Shares by the executions, or by the order's status while that is ahead of them. The status
    is not believed once there was a correction: it may still count the old number."""
    executions = list(executions)
    if any(each.revision > FIRST_REVISION for each in executions):
        return executed(executions)
    return max(executed(executions), row.reported_filled)


def executed(executions: Iterable[IbkrExecution]) -> int:
    """Shares, each execution at its highest revision."""
    return sum(each.quantity for each in latest(executions))


def latest(executions: Iterable[IbkrExecution]) -> list[IbkrExecution]:
    """Each execution once, at its highest revision."""
    found: dict[tuple[str, str], IbkrExecution] = {}
    for each in sorted(executions, key=lambda execution: execution.revision):
        found[each.account, each.execution_id] = each
    return sorted(found.values(), key=lambda execution: execution.pk)


def _execution(row: IbkrOrder, each: IbkrExecution) -> Execution:
    return Execution(
        client_order_id=row.client_order_id,
        account=row.account,
        execution_id=each.execution_id,
        quantity=each.quantity,
        price=each.price,
        executed_at=each.executed_at,
        commission=each.commission,
        revision=each.revision,
    )


def _reason(row: IbkrOrder) -> str:
    if row.stage == S.CANCELLED and row.cancel_asked_at_real and not row.code:
        return ""  # TWS only repeats that it was cancelled
    return f"{row.code}: {row.text}".strip(": ")
