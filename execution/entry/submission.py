"""Handing an order over and waiting for its end. The order does not depend on who waits."""

import asyncio
from collections.abc import Mapping

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from execution import heartbeat
from execution.context import Context
from execution.domain.routing import Thresholds
from execution.entry import acceptance
from execution.models import Heartbeat, Order
from execution.orders.results import ExecutionResult, result_of

LOOK_EVERY = 0.1  # seconds


class NoLiveWorker(RuntimeError):
    """Nobody would work the order; nothing was stored."""

    def __init__(self, last_seen: str = "") -> None:
        super().__init__(
            f"no live worker{last_seen}: start the stack with `make up`, or a worker with "
            "`celery -A deepstack worker -P threads -Q slices,settle,reports`, then try again"
        )


def require_worker() -> None:
    if not heartbeat.alive(Heartbeat.Kind.WORKER):
        raise NoLiveWorker(heartbeat.last_seen(Heartbeat.Kind.WORKER))


def concern() -> str:
    """What keeps a stored order from being sent in time; empty when nothing is known to."""
    fit, troubles = heartbeat.troubles(Heartbeat.Kind.WORKER)
    if not fit and troubles:
        return f"no worker can work: the order is stored and waits; {'; '.join(troubles)}"
    if not fit:
        return "no live worker: the order is stored, and nothing is sent until one runs"
    return "; ".join(str(clock) for clock in heartbeat.wrong_clocks(Heartbeat.Kind.WORKER))


async def execute(
    values: Mapping[str, object],
    context: Context,
    *,
    wait: bool,
    thresholds: Thresholds | None = None,
) -> ExecutionResult:
    """Store the signal as an order and, with `wait`, return when it has ended.

    Raises InvalidSignal or NoLiveWorker, and then nothing is stored.
    """
    # A script may have slept while PostgreSQL was started again.
    await sync_to_async(close_old_connections)()
    await sync_to_async(require_worker)()
    order = await sync_to_async(acceptance.accept)(values, context, thresholds=thresholds)
    while wait and not order.is_terminal:
        await asyncio.sleep(LOOK_EVERY)
        order = await Order.objects.aget(pk=order.pk)
    return await sync_to_async(result_of)(order, plan=not wait)
