"""The mean of a cost, weighted by value, and how well so many orders show it. Pure arithmetic.

A cost has a basis, such as shares at the arrival mid, and the mean of several orders is the sum of
their costs over the sum of their bases: a rate, + = cost. Sums can be added, so that days make
weeks and symbols make a strategy.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import exp, log, sqrt
from typing import Self

ZERO = Decimal(0)
FEWEST = 3  # orders, below which there is no interval
FEWEST_EFFECTIVE = 2.0
NORMAL_95 = 1.959963984540054
T_1, T_2 = 12.706205, 4.302653  # Student's two-sided 95 % quantile at 1 and 2 degrees


@dataclass(frozen=True, slots=True)
class Sums:
    """Over the orders of which both cost and basis are known: money, and products of money."""

    orders: int = 0
    cost: Decimal = ZERO
    basis: Decimal = ZERO
    cost_squared: float = 0.0
    cost_by_basis: float = 0.0
    basis_squared: float = 0.0

    @classmethod
    def of(cls, pairs: Iterable[tuple[Decimal, Decimal]]) -> Self:
        """Of the cost and the basis of each order."""
        total = cls()
        for cost, basis in pairs:
            c, b = float(cost), float(basis)
            total += cls(1, cost, basis, c * c, c * b, b * b)
        return total

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.orders + other.orders,
            self.cost + other.cost,
            self.basis + other.basis,
            self.cost_squared + other.cost_squared,
            self.cost_by_basis + other.cost_by_basis,
            self.basis_squared + other.basis_squared,
        )

    @property
    def rate(self) -> Decimal | None:
        """Sum of costs over sum of bases; None without a basis."""
        return self.cost / self.basis if self.basis > 0 else None

    @property
    def effective_orders(self) -> float:
        """(sum of b)^2 / sum of b^2 (Kish 1965): as many orders of equal value show as much."""
        return float(self.basis) ** 2 / self.basis_squared if self.basis_squared else 0.0

    @property
    def standard_error(self) -> float | None:
        """Of the rate r, linearised (Cochran 1977, 6.3): sqrt(n/(n-1) * sum (c - r*b)^2) / sum b.

        None below FEWEST orders.
        """
        if self.orders < FEWEST or self.rate is None:
            return None
        n, rate = self.orders, float(self.rate)
        squares = (
            self.cost_squared - 2 * rate * self.cost_by_basis + rate * rate * self.basis_squared
        )
        return sqrt(max(squares, 0.0) * n / (n - 1)) / float(self.basis)

    @property
    def half_width(self) -> float | None:
        """Half of the rate's 95 % interval, by Student's t with `effective_orders` - 1 degrees.

        It takes the orders as independent. None where they are fewer than FEWEST, or where so
        much of the value is in one of them that all together are worth less than two.
        """
        error, effective = self.standard_error, self.effective_orders
        if error is None or effective < FEWEST_EFFECTIVE:
            return None
        return error * student_95(effective - 1)

    @property
    def interval(self) -> tuple[float, float] | None:
        half = self.half_width
        if half is None or self.rate is None:
            return None
        return float(self.rate) - half, float(self.rate) + half


def student_95(degrees: float) -> float:
    """The two-sided 95 % quantile of Student's t, from 1 degree of freedom on.

    From 2 on by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5), right to 1 %; below,
    straight in 1 / degrees on a logarithmic scale, at most 3 % too wide.
    """
    if degrees < 2:
        return T_2 * exp((2 / degrees - 1) * log(T_1 / T_2))
    z, v = NORMAL_95, degrees
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92_160 * v**4)
    )
