"""How often the stated intervals of a fit hold the truth, by simulation."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from random import Random

from execution.domain.cost_fit import Observation, fit

NORMAL_95 = 1.96  # standard errors either way of a 95 % interval
PRIOR_OFF_BY = (3.0, 1 / 3)  # the truth over the prior
RUNS = 200
MOST_ORDERS = 50  # of a simulated fit: more of them take time and leave less to the prior


def coverage(
    observations: Sequence[Observation], prior: Sequence[float], scale: float, *, seed: int = 0
) -> float:
    """The share of 95 % intervals that held the truth, over all coefficients of 200 fits to orders
    like `observations`, the priors being off by a factor of three either way.

    Costs are those of the true coefficients and normal errors of `scale` times the deviation of
    each order; of more than fifty orders fifty are taken, evenly. The same for a seed.
    """
    chance = Random(seed)  # noqa: S311 - a simulation, the same for a seed
    orders = _thinned(observations)
    held = [
        abs(value - true) <= NORMAL_95 * error
        for truth in islice(_truths(prior), RUNS)
        for value, true, error in _fitted(orders, prior, truth, scale, chance)
    ]
    return sum(held) / len(held)


def _truths(prior: Sequence[float]) -> Iterator[tuple[float, ...]]:
    while True:
        for factors in product(PRIOR_OFF_BY, repeat=len(prior)):
            yield tuple(each * factor for each, factor in zip(prior, factors, strict=True))


def _fitted(
    orders: Sequence[Observation],
    prior: Sequence[float],
    truth: Sequence[float],
    scale: float,
    chance: Random,
) -> Iterator[tuple[float, float, float]]:
    """Value, truth and standard error of each coefficient."""
    made = [
        replace(
            order,
            realised_bps=order.realised_bps
            - order.error_bps(truth)
            + chance.gauss(0, scale * order.deviation_bps),
        )
        for order in orders
    ]
    found = fit(made, prior)
    return zip(found.coefficients, truth, found.standard_errors, strict=True)


def _thinned(observations: Sequence[Observation]) -> Sequence[Observation]:
    count = len(observations)
    if count <= MOST_ORDERS:
        return observations
    return [observations[k * count // MOST_ORDERS] for k in range(MOST_ORDERS)]
