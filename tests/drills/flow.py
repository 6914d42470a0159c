"""The orders of a drill, and the verdict over them from the broker's own log."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from execution import context
from execution.domain.lifecycle import ORDER_LIVE
from execution.entry import acceptance
from execution.models import Order
from tests.chaos import audit
from tests.chaos.audit import Blow, Planned, Row
from tests.chaos.ground import Ground
from tests.chaos.venue import Entry, wait_until

# A symbol has one side: an account may not trade with itself.
BOUGHT, SOLD = ("AAPL", "MSFT", "GOOGL"), ("QQQ", "TSLA")
SLICES = 12
PATIENCE = 90.0  # seconds after the window until every order must have ended


@dataclass(slots=True)
class Flow:
    """Orders that are worked for `seconds`. `lost_at` and `back_at` (wall, seconds): when the
    drill took something away, and when the service was whole again."""

    ground: Ground
    seconds: float
    orders: list[Order] = field(default_factory=list)
    plan: list[Planned] = field(default_factory=list)
    lost_at: float = 0.0
    back_at: float = 0.0

    def begin(self, symbols: Sequence[str] = (*BOUGHT, *SOLD)) -> None:
        signals = [self._signal(symbol) for symbol in symbols]
        made = list(acceptance.accept_all(signals, context.default()))
        self.orders += made
        self.plan += audit.planned(made)

    def await_sends(self, count: int) -> None:
        """Until the broker has been asked for so many children."""
        wait_until(lambda: len(self.attempts()) >= count, PATIENCE, f"{count} children to leave")

    def lose(self) -> None:
        self.lost_at = time.time()

    def heal(self) -> None:
        self.back_at = time.time()

    def attempts(self, after: float = 0.0) -> list[float]:
        """When (wall, seconds) the broker was asked for a child."""
        told = (entry for entry in self.ground.broker.entries() if entry["kind"] == "attempt")
        return [at for entry in told if (at := entry["t"] / 1e9) > after]

    def await_next_send(self, after: float) -> float:
        """Seconds from that moment to the next child that reached the broker."""
        wait_until(lambda: self.attempts(after), PATIENCE, "a child to leave")
        return min(self.attempts(after)) - after

    def await_end(self) -> None:
        """Until every order has ended and all the broker's executions are booked; what has not
        ended when patience is over is the verdict's business."""
        deadline = time.time() + self.seconds + PATIENCE
        while time.time() < deadline:
            live = Order.objects.filter(status__in=ORDER_LIVE).exists()
            if not live and self.ground.broker.all_booked():
                break
            self.ground.supervise()
            time.sleep(0.2)
        self.plan += audit.added(self.plan, self.orders)

    def verdict(self, name: str, entries: Sequence[Entry] | None = None) -> Row:
        told = self.ground.broker.entries() if entries is None else entries
        forever = float("inf")
        blow = Blow(self.lost_at, self.back_at or self.lost_at, forever, forever)
        return audit.judge(name, self.plan, told, self.ground.broker.excess(), blow)

    def _signal(self, symbol: str) -> dict[str, object]:
        return {
            "symbol": symbol,
            "side": "SELL" if symbol in SOLD else "BUY",
            "quantity": SLICES * 25,
            "algorithm": "TWAP",
            "window_minutes": self.seconds / 60,
            "slices": SLICES,
        }
