"""Orders that have something in common, summed: what a line of a report is made of. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from monitoring.cost_report.estimates import ZERO, Sums
from monitoring.cost_report.measures import MAIN, MEASURES
from monitoring.cost_report.spread import Counts, added, median

NONE = Sums()


@dataclass(frozen=True, slots=True)
class Group:
    """Orders that ended, denied ones left out; of live ones nothing counts.

    `spread` counts the orders by their cost against arrival.
    """

    orders: int = 0
    executed: int = 0  # orders with an execution
    preliminary: int = 0  # of those: the market's figures may still change
    ordered: int = 0  # shares
    shares: int = 0  # executed
    value: Decimal = ZERO
    commission: Decimal = ZERO
    sums: Mapping[str, Sums] = field(default_factory=dict)
    spread: Counts = field(default_factory=dict)

    @classmethod
    def total(cls, groups: Iterable[Self]) -> Self:
        many = list(groups)
        names = {name for each in many for name in each.sums}
        return cls(
            orders=sum(each.orders for each in many),
            executed=sum(each.executed for each in many),
            preliminary=sum(each.preliminary for each in many),
            ordered=sum(each.ordered for each in many),
            shares=sum(each.shares for each in many),
            value=sum((each.value for each in many), ZERO),
            commission=sum((each.commission for each in many), ZERO),
            sums={name: sum((each.of(name) for each in many), NONE) for name in names},
            spread=added(each.spread for each in many),
        )

    def of(self, measure: str) -> Sums:
        return self.sums.get(measure, NONE)

    @property
    def median_bps(self) -> float | None:
        """Of the cost against arrival, every order counting the same."""
        return median(self.spread)

    @property
    def fill_rate(self) -> float | None:
        return self.shares / self.ordered if self.ordered else None

    def as_json(self) -> dict[str, Any]:
        """Money as text, so that it comes back exactly."""
        return {
            "orders": self.orders,
            "executed": self.executed,
            "preliminary": self.preliminary,
            "ordered": self.ordered,
            "shares": self.shares,
            "value": f"{self.value:f}",
            "commission": f"{self.commission:f}",
            "sums": {name: _plain(each) for name, each in self.sums.items() if each.orders},
            "spread": {str(number): count for number, count in self.spread.items()},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            **{
                **stored,
                "value": Decimal(stored["value"]),
                "commission": Decimal(stored["commission"]),
                # A measure that is not known any more is left out.
                "sums": {
                    name: _sums(each) for name, each in stored["sums"].items() if name in MEASURES
                },
                "spread": {int(number): count for number, count in stored["spread"].items()},
            }
        )


def _plain(sums: Sums) -> list[int | str | float]:
    squares = [sums.cost_squared, sums.cost_by_basis, sums.basis_squared]
    return [sums.orders, f"{sums.cost:f}", f"{sums.basis:f}", *squares]


def _sums(stored: list[Any]) -> Sums:
    orders, cost, basis, *squares = stored
    return Sums(orders, Decimal(cost), Decimal(basis), *squares)


def ranked(groups: Mapping[str, Group]) -> list[tuple[str, Group]]:
    """The dearest first, in money against arrival."""
    return sorted(groups.items(), key=lambda pair: (-pair[1].of(MAIN).cost, pair[0]))
