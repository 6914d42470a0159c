"""Sums over orders, and the ratios made of them: of sums, never averages of ratios.

Money in the currency of the account; + = cost; a ratio without a basis is None.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Self

ZERO = Decimal(0)
BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Tally:
    """Finished orders, summed.

    A `_value` is the basis of the cost of the same name: the executed shares of the orders whose
    benchmark is known, at that benchmark.
    """

    orders: int = 0
    filled_orders: int = 0
    failed_orders: int = 0  # denied, rejected, or expired with nothing executed
    cancelled_orders: int = 0
    preliminary_orders: int = 0  # executed, and the market's figures of them may still change
    slow_orders: int = 0  # took longer than the slow-execution threshold allows
    ordered: int = 0  # shares; denied orders do not count here
    volume: int = 0  # shares executed
    value: Decimal = ZERO
    commission: Decimal = ZERO
    arrival_value: Decimal = ZERO
    arrival_cost: Decimal = ZERO
    estimated_value: Decimal = ZERO
    estimated_cost: Decimal = ZERO
    vwap_value: Decimal = ZERO
    vwap_cost: Decimal = ZERO
    vwap_distance: Decimal = ZERO  # the sum of |cost| of each order
    paper_value: Decimal = ZERO
    shortfall: Decimal = ZERO

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        everything = list(parts)
        sums: dict[str, Any] = {
            each.name: sum(getattr(part, each.name) for part in everything) for each in fields(cls)
        }
        return cls(**sums) if everything else cls()

    @property
    def success_rate(self) -> float:
        """Filled orders over finished orders; 0.0 when none has finished."""
        return self.filled_orders / self.orders if self.orders else 0.0

    @property
    def fill_rate(self) -> float | None:
        """Shares executed over shares ordered."""
        return self.volume / self.ordered if self.ordered else None

    @property
    def slippage_bps(self) -> Decimal | None:
        """Cost against the arrival mid."""
        return _bps(self.arrival_cost, self.arrival_value)

    @property
    def estimated_slippage_bps(self) -> Decimal | None:
        return _bps(self.estimated_cost, self.estimated_value)

    @property
    def vwap_bps(self) -> Decimal | None:
        """Cost against the market VWAP of each order's window."""
        return _bps(self.vwap_cost, self.vwap_value)

    @property
    def vwap_distance_bps(self) -> Decimal | None:
        """How far from the market VWAP, to either side."""
        return _bps(self.vwap_distance, self.vwap_value)

    @property
    def shortfall_bps(self) -> Decimal | None:
        """Implementation shortfall over the paper value, commission included."""
        return _bps(self.shortfall, self.paper_value)


def _bps(cost: Decimal, basis: Decimal) -> Decimal | None:
    return cost / basis * BPS if basis else None
