"""Whether a cost model's coefficients, fitted to what finished orders did cost, may be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from execution.domain.cost_fit import Fit, Observation, fit
from execution.domain.interval_coverage import coverage

STEPS = 5  # of the walk forward
LEAST_COVERAGE = 0.90  # of intervals that say 95 %


@dataclass(frozen=True, slots=True)
class Errors:
    """Mean absolute error in bps, each order weighing by 1 / deviation, over the same `n` orders;
    None where there are none."""

    n: int
    prior_bps: float | None
    fitted_bps: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """`refused` says why the prior is kept; empty: the fit may be used. `coverage`: of its 95 %
    intervals (`interval_coverage`); None where there were too few orders to ask."""

    n: int
    prior: tuple[float, ...]
    fit: Fit
    in_sample: Errors
    out_of_sample: Errors
    coverage: float | None
    refused: str

    @property
    def adopted(self) -> bool:
        return not self.refused


def calibrate(
    observations: Sequence[Observation], prior: Sequence[float], *, fewest: int
) -> Calibration:
    """Fit, measure in and out of sample, and decide.

    The fit is adopted when there are at least `fewest` orders, every coefficient is positive, its
    error on orders that it had not seen is smaller than the prior's, and nine of ten of its 95 %
    intervals hold in simulation. Raises ValueError for a prior that is not positive, or an
    observation without a positive deviation.
    """
    _check(observations, prior)
    ordered = sorted(observations, key=lambda seen: seen.began)
    found = fit(ordered, prior)
    in_sample = Errors(
        len(ordered), _error(ordered, [prior] * len(ordered)), _error_of(found, ordered)
    )
    out_of_sample = walk_forward(ordered, prior)
    held = coverage(ordered, prior, found.scale) if len(ordered) >= max(fewest, 1) else None
    return Calibration(
        n=len(ordered),
        prior=tuple(prior),
        fit=found,
        in_sample=in_sample,
        out_of_sample=out_of_sample,
        coverage=held,
        refused=_refusal(found, out_of_sample, held, n=len(ordered), fewest=fewest),
    )


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


def _refusal(found: Fit, out_of_sample: Errors, held: float | None, *, n: int, fewest: int) -> str:
    if n < fewest:
        return f"{n} orders are fewer than {fewest}"
    if min(found.coefficients) <= 0:
        return "a fitted coefficient is not positive"
    fitted, prior = out_of_sample.fitted_bps, out_of_sample.prior_bps
    if fitted is None or prior is None or fitted >= prior:
        return "out of sample the fit is no better than the prior"
    if held is not None and held < LEAST_COVERAGE:
        return (
            f"its 95 % intervals hold the truth in {held:.0%} of simulated fits,"
            f" less than {LEAST_COVERAGE:.0%}"
        )
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


def _check(observations: Sequence[Observation], prior: Sequence[float]) -> None:
    if not prior or min(prior) <= 0:
        raise ValueError(f"prior = {tuple(prior)}: every coefficient must be positive")
    for seen in observations:
        if not seen.deviation_bps > 0:
            raise ValueError(f"deviation_bps = {seen.deviation_bps}: must be positive")
