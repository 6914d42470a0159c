"""What is asked of TWS beside orders being placed: everything has an answer with an end."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from execution.broker.ibkr.client_library import ExecutionFilter
from execution.broker.ibkr.contracts import name_of

# Waits its turn among requests of its kind, sends it in so many messages and returns its answer
# within a bounded time.
Answer = Callable[[Callable[[], Awaitable[Any]], int, str], Awaitable[Any]]

# The library answers one request of a kind at a time. The clock is asked beside everything else:
# whether TWS lives must be known while a long answer is on its way.
CLOCK, REST = "clock", "rest"
CASH, BUYING_POWER = "TotalCashValue", "BuyingPower"


def about_orders(ib: Any, client_id: int) -> Mapping[str, Callable[[], Awaitable[Any]]]:
    """Requests that together report every order of today, by their names.

    Open orders come first and ended ones last: an order that ends in between is seen either way.
    Executions of other clients, of which an account may have thousands, are not asked for.
    """
    ours = ExecutionFilter(clientId=client_id)
    return {
        "open orders": ib.reqOpenOrdersAsync,
        "open orders of all clients": ib.reqAllOpenOrdersAsync,
        "executions": lambda: ib.reqExecutionsAsync(ours),
        "completed orders": lambda: ib.reqCompletedOrdersAsync(False),
    }


async def clock_skew(ib: Any, answer: Answer) -> float:
    """The broker's clock less ours, in seconds. It is in whole seconds: half of one is added."""
    theirs: datetime = await answer(ib.reqCurrentTimeAsync, 1, CLOCK)
    return theirs.timestamp() + 0.5 - time.time()


async def ask(
    ib: Any, answer: Answer, kind: str, account: str
) -> Mapping[str, object] | Sequence[object]:
    """Raises LookupError for an account that the broker does not show."""
    if kind == "ACCOUNT":
        return await _account(ib, answer, account)
    return await _open_orders(ib, answer, account)


async def _account(ib: Any, answer: Answer, account: str) -> Mapping[str, object]:
    values, currency = await _summary(ib, answer, account)
    positions = await answer(ib.reqPositionsAsync, 1, REST)
    missing = [tag for tag in (CASH, BUYING_POWER) if tag not in values]
    if missing:
        raise LookupError(f"account = {account!r}: the broker shows no {' and no '.join(missing)}")
    held = [each for each in positions if each.account == account and int(each.position)]
    return {
        "cash": values[CASH],
        "buying_power": values[BUYING_POWER],
        "currency": currency,
        "positions": {name_of(each.contract): int(each.position) for each in held},
        "skew": await clock_skew(ib, answer),
    }


async def _summary(ib: Any, answer: Answer, account: str) -> tuple[dict[str, str], str]:
    """Values by tag, and the currency that the account is kept in.

    The library's own request asks once and then trusts updates that come every few minutes; TWS
    allows two of these at a time, so this one is ended.
    """
    request_id = ib.client.getReqId()

    def request() -> Awaitable[Any]:
        ib.wrapper.acctSummary.clear()  # it keeps what was told in another currency
        future: Awaitable[Any] = ib.wrapper.startReq(request_id)
        ib.client.reqAccountSummary(request_id, "All", f"{CASH},{BUYING_POWER}")
        return future

    try:
        await answer(request, 2, REST)
    finally:
        ib.client.cancelAccountSummary(request_id)
    rows = [each for each in ib.wrapper.acctSummary.values() if each.account == account]
    currencies = sorted({each.currency for each in rows if each.tag in (CASH, BUYING_POWER)})
    return {each.tag: each.value for each in rows}, "+".join(currencies)


async def _open_orders(ib: Any, answer: Answer, account: str) -> Sequence[object]:
    trades = await answer(ib.reqAllOpenOrdersAsync, 1, REST)
    orders = {
        trade.order.permId: {
            "client_order_id": trade.order.orderRef,
            "broker_order_id": str(trade.order.permId),
            "symbol": name_of(trade.contract),
            "side": trade.order.action,
            "leaves": int(trade.order.totalQuantity - trade.orderStatus.filled),
        }
        for trade in trades
        if trade.order.account in (account, "")
    }
    return list(orders.values())
