"""A cost model's coefficients, fitted to what orders did cost and drawn to a prior."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import sqrt
from statistics import fmean, median

from execution.domain.cost_models import Covariance

# The standard deviation of a prior, in parts of itself: one that is a third of the truth is then
# 1.3 deviations away from it, one that is three times the truth less than half of one. Narrower,
# and the interval of few data holds only the prior.
PRIOR_DEVIATION = 1.5
HUBER = 1.345  # standard deviations beyond which a residual pulls no harder
NORMAL_MAD = 1.4826  # standard deviation over median absolute deviation, of a normal
_ROUNDS = 100
_SETTLED = 1e-9

Row = tuple[float, Sequence[float]]  # cost and unit impacts, both over the deviation


@dataclass(frozen=True, slots=True)
class Observation:
    """One finished order; all costs in bps of its executed value, + is a cost.

    `given_bps` is the part of the expected cost that is not fitted, `units` the rest for each
    coefficient at 1. `deviation_bps` is the standard deviation that the price's own moves give the
    cost; the fit trusts the observation accordingly.
    """

    began: datetime
    ended: datetime
    realised_bps: float
    given_bps: float
    units: tuple[float, ...]
    deviation_bps: float

    def error_bps(self, coefficients: Sequence[float]) -> float:
        """Realised less expected."""
        return self.realised_bps - self.given_bps - _product(coefficients, self.units)

    def row(self) -> Row:
        cost = (self.realised_bps - self.given_bps) / self.deviation_bps
        return cost, tuple(unit / self.deviation_bps for unit in self.units)


@dataclass(frozen=True, slots=True)
class Fit:
    """`covariance` is that of the coefficients, the prior's weight included; `scale` that of the
    errors, in deviations. `prior_deviations`: of the prior as it was weighed, `widened` times as
    wide as usual."""

    coefficients: tuple[float, ...]
    covariance: Covariance
    scale: float
    prior_deviations: tuple[float, ...]
    widened: float = 1.0

    @property
    def standard_errors(self) -> tuple[float, ...]:
        return tuple(self.covariance[k][k] ** 0.5 for k in range(len(self.coefficients)))

    @property
    def prior_shares(self) -> tuple[float, ...]:
        """How much of each coefficient is prior, from 0 to 1: what is left of its variance."""
        pairs = zip(self.standard_errors, self.prior_deviations, strict=True)
        return tuple((error / deviation) ** 2 for error, deviation in pairs)


def fit(observations: Sequence[Observation], prior: Sequence[float]) -> Fit:
    """Huber's M-estimator (1964), drawn to the prior as a ridge: minimises over b

        sum of rho(error_i / (s * deviation_i)) + sum of ((b_j - prior_j) / d_j)^2 / 2

    with s the robust scale of the errors, at least 1, as the price's own moves are in all of them,
    and d_j = 1.5 * prior_j. So few data keep the prior, and outliers pull little. Where the data
    contradict the prior (`_conflict`), it is widened as much and the fit is made again.
    The covariance is (I + P)^-1, with I the data's information (Huber's asymptotic one) and P the
    prior's. Without observations the answer is the prior.
    """
    rows = [seen.row() for seen in observations]
    usual = tuple(PRIOR_DEVIATION * each for each in prior)
    found = _drawn(rows, prior, usual)
    widened = _conflict(found, prior)
    if widened <= 1:
        return found
    wide = _drawn(rows, prior, tuple(widened * each for each in usual))
    return replace(wide, widened=widened)


def _conflict(found: Fit, prior: Sequence[float]) -> float:
    """How many times further from the prior the fit is than it should be, for the coefficient where
    that is most: were prior and model right, b - prior would have the variance d^2 - C."""
    triples = zip(found.coefficients, prior, found.prior_deviations, strict=True)
    learned_share = [max(1 - share, _SETTLED) for share in found.prior_shares]
    return max(
        abs(value - middle) / (deviation * sqrt(learned))
        for (value, middle, deviation), learned in zip(triples, learned_share, strict=True)
    )


def _drawn(rows: Sequence[Row], prior: Sequence[float], deviations: tuple[float, ...]) -> Fit:
    strength = [1 / each**2 for each in deviations]
    current, scale, errors = tuple(prior), 1.0, [0.0]
    for _ in range(_ROUNDS):
        errors = [cost - _product(current, units) for cost, units in rows]
        scale = max(NORMAL_MAD * median(map(abs, errors)), 1.0) if rows else 1.0
        trust = [_weight(error / scale) / scale**2 for error in errors]
        left = _information(rows, trust, strength)
        right = _pulled(rows, trust, strength, prior)
        updated = tuple(_product(row, right) for row in _inverse(left))
        moved = max(abs(a - b) / p for a, b, p in zip(updated, current, prior, strict=True))
        current = updated
        if moved < _SETTLED:
            break
    information = _information(rows, [_efficiency(errors, scale) / scale**2] * len(rows), strength)
    return Fit(current, _inverse(information), scale, deviations)


def _weight(far: float) -> float:
    return 1.0 if abs(far) <= HUBER else HUBER / abs(far)


def _pulled(
    rows: Sequence[Row], trust: Sequence[float], strength: Sequence[float], prior: Sequence[float]
) -> list[float]:
    """X'Wy + P prior, of the normal equations (X'WX + P) b = X'Wy + P prior."""
    weighed = list(zip(rows, trust, strict=True))
    return [
        pull * prior[k] + sum(each * units[k] * cost for (cost, units), each in weighed)
        for k, pull in enumerate(strength)
    ]


def _information(
    rows: Sequence[Row], trust: Sequence[float], strength: Sequence[float]
) -> list[list[float]]:
    """X'WX + P"""
    size = range(len(strength))
    weighed = list(zip(rows, trust, strict=True))
    return [
        [
            sum(each * units[k] * units[m] for (_, units), each in weighed)
            + (strength[k] if k == m else 0.0)
            for m in size
        ]
        for k in size
    ]


def _efficiency(errors: Sequence[float], scale: float) -> float:
    """Huber's: the information of an observation is mean(psi')^2 / mean(psi^2) of what least
    squares would take it for, and never more."""
    far = [abs(error) / scale for error in errors]
    spread: float = fmean([min(each, HUBER) ** 2 for each in far]) if far else 0.0
    slope: float = fmean([each <= HUBER for each in far]) if far else 0.0
    return min(slope * slope / spread, 1.0) if spread else 1.0


def _inverse(matrix: Sequence[Sequence[float]]) -> Covariance:
    """Of a positive definite one of one or two rows."""
    if len(matrix) == 1:
        return ((1 / matrix[0][0],),)
    (a, b), (c, d) = matrix
    determinant = a * d - b * c
    return (d / determinant, -b / determinant), (-c / determinant, a / determinant)


def _product(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))
