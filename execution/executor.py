"""What the executors of all algorithms have in common."""

from decimal import Decimal

from deepstack import django_setup

django_setup.ensure()

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from typing_extensions import Unpack

from execution import context as contexts
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.reading import LONGEST_PERSON, minutes, one_line, whole
from execution.domain.signal import MAX_QUANTITY, Controls
from execution.entry import order_controls, submission
from execution.orders import by_number, caller
from execution.orders.results import ExecutionResult, result_of
from execution.planning.arguments import EXECUTOR, checked, read_as_signal


class Executor:
    """Works orders by one algorithm, whatever their size.

    `default_time_window` is in minutes; what is left out comes from the configuration.
    """

    algorithm: str

    def __init__(
        self,
        order_manager: OrderManager,
        default_time_window: float | None = None,
        default_num_slices: int | None = None,
    ) -> None:
        checked("default_time_window", default_time_window, minutes)
        self._context: Context = contexts.on(order_manager)
        self.default_time_window = default_time_window
        self.default_num_slices: int | None = checked(
            "default_num_slices", default_num_slices, whole(MAX_QUANTITY)
        )

    def _parameters(self) -> dict[str, object]:
        """What an algorithm adds to the signal."""
        return {}

    async def execute(
        self,
        symbol: str,
        total_quantity: int,
        action: str,
        time_window_minutes: float | None = None,
        num_slices: int | None = None,
        *,
        current_price: float | Decimal | None = None,
        limit_price: float | Decimal | None = None,
        account: str | None = None,
        strategy: str | None = None,
        client_reference: str | None = None,
        wait: bool = True,
        **controls: Unpack[Controls],
    ) -> ExecutionResult:
        """As `ExecutionRouter.route_order`, with the algorithm fixed."""
        window = time_window_minutes
        arguments = {
            "symbol": symbol,
            "total_quantity": total_quantity,
            "action": action,
            "algorithm": self.algorithm,
            "time_window_minutes": self.default_time_window if window is None else window,
            "num_slices": self._usual_slices(total_quantity) if num_slices is None else num_slices,
            "current_price": current_price,
            "limit_price": limit_price,
            "account": account,
            "strategy": strategy,
            "client_reference": client_reference,
            **self._parameters(),
        }
        with read_as_signal(arguments, controls, EXECUTOR) as signal:
            return await submission.execute(signal, self._context, wait=wait)

    def _usual_slices(self, quantity: object) -> int | None:
        """Unlike an explicit number, a default gives way to a small order."""
        most = self.default_num_slices
        if most is None:
            return None
        try:
            shares: int = whole(MAX_QUANTITY)(quantity)
        except ValueError:
            return None  # the signal's parser says so
        return min(most, shares)

    async def progress(self, order_id: int) -> ExecutionResult:
        """Where an order stands. Raises ValueError for no number, or Order.DoesNotExist."""
        return await sync_to_async(_progress)(order_id)

    async def cancel(self, order_id: int, *, by: str | None = None) -> ExecutionResult:
        """Cancel what is left of an order; `by` is recorded, else the user of this process. Raises
        NotAllowed for one that has ended otherwise, or as `progress` does."""
        return await sync_to_async(_cancel)(order_id, by, self._context)


def _progress(order_id: int) -> ExecutionResult:
    close_old_connections()  # a script may have slept while PostgreSQL was started again
    return result_of(by_number.find(order_id))


def _cancel(order_id: int, by: str | None, context: Context) -> ExecutionResult:
    close_old_connections()
    # What stops takes any name; one that cannot be stored would keep the order working.
    given = "" if by is None else one_line(str(by))[:LONGEST_PERSON]
    who = given or caller.current().name
    number = by_number.find(order_id).pk
    return result_of(order_controls.cancel(number, by=who, now=context.now()))
