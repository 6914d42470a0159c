"""The coefficients of a cost model, fitted to what finished orders did cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import fmean, median

from execution.domain.cost_models import Covariance

# A prior is believed to within half of itself: data that say less than that change little.
PRIOR_DEVIATION = 0.5
HUBER = 1.345  # standard deviations beyond which a residual pulls no harder
NORMAL_MAD = 1.4826  # standard deviation over median absolute deviation, of a normal
STEPS = 5  # of the walk forward
_ROUNDS = 100
_SETTLED = 1e-9


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


@dataclass(frozen=True, slots=True)
class Fit:
    """`covariance` is that of the coefficients, the prior's weight included."""

    coefficients: tuple[float, ...]
    covariance: Covariance

    @property
    def standard_errors(self) -> tuple[float, ...]:
        return tuple(self.covariance[k][k] ** 0.5 for k in range(len(self.coefficients)))


@dataclass(frozen=True, slots=True)
class Errors:
    """Mean absolute error in bps, each order weighing by 1 / deviation, over the same `n` orders;
    None where there are none."""

    n: int
    prior_bps: float | None
    fitted_bps: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """`refused` says why the prior is kept; empty: the fit may be used."""

    n: int
    prior: tuple[float, ...]
    fit: Fit
    in_sample: Errors
    out_of_sample: Errors
    refused: str

    @property
    def adopted(self) -> bool:
        return not self.refused


def calibrate(
    observations: Sequence[Observation], prior: Sequence[float], *, fewest: int
) -> Calibration:
    """Fit, measure in and out of sample, and decide.

    The fit is adopted when there are at least `fewest` orders, every coefficient is positive, and
    its error on orders that it had not seen is smaller than the prior's. Raises ValueError for a
    prior that is not positive, or an observation without a positive deviation.
    """
    _check(observations, prior)
    ordered = sorted(observations, key=lambda seen: seen.began)
    found = fit(ordered, prior)
    in_sample = Errors(
        len(ordered), _error(ordered, [prior] * len(ordered)), _error_of(found, ordered)
    )
    out_of_sample = walk_forward(ordered, prior)
    return Calibration(
        n=len(ordered),
        prior=tuple(prior),
        fit=found,
        in_sample=in_sample,
        out_of_sample=out_of_sample,
        refused=_refusal(found, out_of_sample, n=len(ordered), fewest=fewest),
    )


def fit(observations: Sequence[Observation], prior: Sequence[float]) -> Fit:
    """Huber's M-estimator (1964), drawn to the prior as a ridge: minimises over b

        sum of rho(error_i / (s * deviation_i)) + sum of ((b_j - prior_j) / (0.5 * prior_j))^2 / 2

    with s the robust scale of the errors, at least 1, as the price's own moves are in all of them.
    So few data keep the prior, and outliers pull little.
    The covariance is (I + P)^-1, with I the data's information (Huber's asymptotic one) and P the
    prior's. Without observations the answer is the prior.
    """
    strength = [1 / (PRIOR_DEVIATION * each) ** 2 for each in prior]
    current = tuple(prior)
    scale = 1.0
    for _ in range(_ROUNDS):
        scale = _scale(observations, current)
        weights = [_weight(seen, current, scale) for seen in observations]
        left, right = _normal_equations(observations, weights, scale, prior, strength)
        updated = tuple(_product(row, right) for row in _inverse(left))
        moved = max(abs(a - b) / p for a, b, p in zip(updated, current, prior, strict=True))
        current = updated
        if moved < _SETTLED:
            break
    return Fit(current, _covariance(observations, current, scale, strength))


def walk_forward(observations: Sequence[Observation], prior: Sequence[float]) -> Errors:
    """The errors on the later half, in five steps: each is judged by the fit of what had ended
    before its first order began. `observations` in the order in which they began."""
    test = observations[len(observations) // 2 :]
    if len(observations) < 2:
        return Errors(0, None, None)
    fits: list[Sequence[float]] = []
    for block in _blocks(test):
        past = [seen for seen in observations if seen.ended <= block[0].began]
        fits += [fit(past, prior).coefficients] * len(block)
    return Errors(len(test), _error(test, [prior] * len(test)), _error(test, fits))


def _blocks(test: Sequence[Observation]) -> list[Sequence[Observation]]:
    edges = [len(test) * k // STEPS for k in range(STEPS + 1)]
    blocks = [test[left:right] for left, right in pairwise(edges)]
    return [block for block in blocks if block]


def _refusal(found: Fit, out_of_sample: Errors, *, n: int, fewest: int) -> str:
    if n < fewest:
        return f"{n} orders are fewer than {fewest}"
    if min(found.coefficients) <= 0:
        return "a fitted coefficient is not positive"
    fitted, prior = out_of_sample.fitted_bps, out_of_sample.prior_bps
    if fitted is None or prior is None or fitted >= prior:
        return "out of sample the fit is no better than the prior"
    return ""


def _error_of(found: Fit, observations: Sequence[Observation]) -> float | None:
    return _error(observations, [found.coefficients] * len(observations))


def _error(
    observations: Sequence[Observation], coefficients: Sequence[Sequence[float]]
) -> float | None:
    if not observations:
        return None
    pairs = zip(observations, coefficients, strict=True)
    missed = sum(abs(seen.error_bps(by)) / seen.deviation_bps for seen, by in pairs)
    return missed / sum(1 / seen.deviation_bps for seen in observations)


def _scale(observations: Sequence[Observation], coefficients: Sequence[float]) -> float:
    errors = [abs(seen.error_bps(coefficients)) / seen.deviation_bps for seen in observations]
    return max(NORMAL_MAD * median(errors), 1.0) if errors else 1.0


def _weight(seen: Observation, coefficients: Sequence[float], scale: float) -> float:
    far = abs(seen.error_bps(coefficients)) / (seen.deviation_bps * scale)
    return 1.0 if far <= HUBER else HUBER / far


def _normal_equations(
    observations: Sequence[Observation],
    weights: Sequence[float],
    scale: float,
    prior: Sequence[float],
    strength: Sequence[float],
) -> tuple[list[list[float]], list[float]]:
    """Of the weighted ridge: (X'WX + P) b = X'Wy + P prior."""
    trust = [
        weight / (scale * seen.deviation_bps) ** 2
        for weight, seen in zip(weights, observations, strict=True)
    ]
    left = _information(observations, trust, strength)
    right = [pull * each for pull, each in zip(strength, prior, strict=True)]
    for seen, each in zip(observations, trust, strict=True):
        for k, unit in enumerate(seen.units):
            right[k] += each * unit * (seen.realised_bps - seen.given_bps)
    return left, right


def _information(
    observations: Sequence[Observation], trust: Sequence[float], strength: Sequence[float]
) -> list[list[float]]:
    size = range(len(strength))
    return [
        [
            sum(
                each * seen.units[row] * seen.units[column]
                for seen, each in zip(observations, trust, strict=True)
            )
            + (strength[row] if row == column else 0.0)
            for column in size
        ]
        for row in size
    ]


def _covariance(
    observations: Sequence[Observation],
    coefficients: Sequence[float],
    scale: float,
    strength: Sequence[float],
) -> Covariance:
    """Huber's: the information of an observation is mean(psi')^2 / mean(psi^2) of what least
    squares would take it for, and never more."""
    far = [
        abs(seen.error_bps(coefficients)) / (seen.deviation_bps * scale) for seen in observations
    ]
    spread = fmean([min(each, HUBER) ** 2 for each in far]) if far else 0.0
    slope = fmean([each <= HUBER for each in far]) if far else 0.0
    efficiency = min(slope**2 / spread, 1.0) if spread else 1.0
    trust = [efficiency / (scale * seen.deviation_bps) ** 2 for seen in observations]
    return _inverse(_information(observations, trust, strength))


def _inverse(matrix: Sequence[Sequence[float]]) -> Covariance:
    """Of a positive definite one of one or two rows."""
    if len(matrix) == 1:
        return ((1 / matrix[0][0],),)
    (a, b), (c, d) = matrix
    determinant = a * d - b * c
    return (d / determinant, -b / determinant), (-c / determinant, a / determinant)


def _product(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _check(observations: Sequence[Observation], prior: Sequence[float]) -> None:
    if not prior or min(prior) <= 0:
        raise ValueError(f"prior = {tuple(prior)}: every coefficient must be positive")
    for seen in observations:
        if not seen.deviation_bps > 0:
            raise ValueError(f"deviation_bps = {seen.deviation_bps}: must be positive")
