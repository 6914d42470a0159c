"""Volume-weighted average price: slices sized by the volume expected of the session."""

from execution.broker.order_manager import OrderManager
from execution.domain.reading import share
from execution.executor import Executor
from execution.planning.arguments import checked


class VWAPExecutor(Executor):
    """Works orders along the intraday volume profile.

    `vwap_deviation_threshold`: an order whose average deviates from the market VWAP of its window
    by more than this share of it raises an alert; left out, the symbol's own or the configuration's
    holds.
    """

    algorithm = "VWAP"

    def __init__(
        self,
        order_manager: OrderManager,
        vwap_deviation_threshold: float | None = None,
        default_time_window: float | None = None,
        default_num_slices: int | None = None,
    ) -> None:
        checked("vwap_deviation_threshold", vwap_deviation_threshold, share)
        super().__init__(order_manager, default_time_window, default_num_slices)
        self.vwap_deviation_threshold = vwap_deviation_threshold

    def _parameters(self) -> dict[str, object]:
        return {"vwap_deviation_threshold": self.vwap_deviation_threshold}
