"""The way in for strategies written in Python."""

from collections.abc import AsyncIterator
from decimal import Decimal

from deepstack import django_setup

django_setup.ensure()

from asgiref.sync import sync_to_async
from typing_extensions import Unpack

from execution import context as contexts
from execution.broker.order_manager import OrderManager
from execution.domain.reading import number, refusal
from execution.domain.routing import Thresholds
from execution.domain.signal import Controls
from execution.entry import submission
from execution.entry.preview import Preview, preview
from execution.orders import by_number, event_follower
from execution.orders.event_message import EventMessage
from execution.orders.results import ExecutionResult
from execution.planning.arguments import ROUTER, read_as_signal


class ExecutionRouter:
    """Chooses how an order is worked, by its size and urgency, and sees it through.

    The thresholds are in currency; left out, the configuration's hold.
    """

    def __init__(
        self,
        order_manager: OrderManager,
        small_order_threshold: float | Decimal | None = None,
        large_order_threshold: float | Decimal | None = None,
    ) -> None:
        self._context = contexts.on(order_manager)
        rules = self._context.config.execution.routing
        self._thresholds = Thresholds(
            _money("small_order_threshold", small_order_threshold, rules.small_order_threshold),
            _money("large_order_threshold", large_order_threshold, rules.large_order_threshold),
        )
        if self._thresholds.small > self._thresholds.large:
            raise ValueError(
                f"small_order_threshold {self._thresholds.small} must not exceed "
                f"large_order_threshold {self._thresholds.large}"
            )

    async def route_order(
        self,
        symbol: str,
        quantity: int,
        action: str,
        current_price: float | Decimal | None = None,
        urgency: str = "NORMAL",
        avg_daily_volume: int | None = None,
        *,
        algorithm: str | None = None,
        limit_price: float | Decimal | None = None,
        time_window_minutes: float | None = None,
        num_slices: int | None = None,
        max_participation: float | None = None,
        account: str | None = None,
        strategy: str | None = None,
        client_reference: str | None = None,
        wait: bool = True,
        **controls: Unpack[Controls],
    ) -> ExecutionResult:
        """Hand an order over; return when it has ended, or at once without `wait`.

        `controls` are the further fields of a signal, such as residual="FORCE" or max_slice=500.
        The order belongs to the database and the workers: it goes on if this process ends.
        Raises ValueError naming every wrong field, or NoLiveWorker; nothing is stored then. An
        order that the rules refuse comes back with the status DENIED and a reason.
        """
        arguments = {
            "symbol": symbol,
            "quantity": quantity,
            "action": action,
            "current_price": current_price,
            "urgency": urgency,
            "avg_daily_volume": avg_daily_volume,
            "algorithm": algorithm,
            "limit_price": limit_price,
            "time_window_minutes": time_window_minutes,
            "num_slices": num_slices,
            "max_participation": max_participation,
            "account": account,
            "strategy": strategy,
            "client_reference": client_reference,
        }
        with read_as_signal(arguments, controls, ROUTER) as signal:
            return await submission.execute(
                signal, self._context, wait=wait, thresholds=self._thresholds
            )

    async def preview(
        self,
        symbol: str,
        quantity: int,
        action: str,
        current_price: float | Decimal | None = None,
        urgency: str = "NORMAL",
        avg_daily_volume: int | None = None,
        *,
        algorithm: str | None = None,
        limit_price: float | Decimal | None = None,
        time_window_minutes: float | None = None,
        num_slices: int | None = None,
        max_participation: float | None = None,
        account: str | None = None,
        strategy: str | None = None,
        **controls: Unpack[Controls],
    ) -> Preview:
        """What `route_order` would do now, and what each way of working the order is expected to
        cost; nothing is stored. Raises ValueError naming every wrong field."""
        arguments = {
            "symbol": symbol,
            "quantity": quantity,
            "action": action,
            "current_price": current_price,
            "urgency": urgency,
            "avg_daily_volume": avg_daily_volume,
            "algorithm": algorithm,
            "limit_price": limit_price,
            "time_window_minutes": time_window_minutes,
            "num_slices": num_slices,
            "max_participation": max_participation,
            "account": account,
            "strategy": strategy,
        }
        with read_as_signal(arguments, controls, ROUTER) as signal:
            return await sync_to_async(preview)(signal, self._context, thresholds=self._thresholds)

    async def events(self, order_id: int) -> AsyncIterator[EventMessage]:
        """Each event of an order from its first on, as it happens; ends once the order has ended
        and its events were all given. Raises ValueError for no number, or Order.DoesNotExist."""
        order = await sync_to_async(by_number.find)(order_id)
        async for message in event_follower.follow(order.pk):
            yield message


def _money(name: str, given: float | Decimal | None, configured: Decimal) -> Decimal:
    if given is None:
        return configured
    found = number(given)
    if found is None or found < 0:
        raise ValueError(f"{name}: {refusal('an amount of at least 0', given)}")
    return found
