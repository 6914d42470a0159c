"""Implementation shortfall: faster than TWAP, as far as the risk of waiting is worth the impact."""

from execution.domain.algorithms.almgren_chriss import Impact, trajectory
from execution.domain.algorithms.base import PlannedSlice, Spec, weighted
from execution.domain.slice_times import even_times


def usual_impact(*, spread: float, average_daily_volume: float) -> Impact:
    """The rule of thumb of Almgren and Chriss (2000): trading 1 % of a day's volume in a day costs
    one spread more, and 10 % moves the price for good by one spread. `spread` in $ a share."""
    return Impact(
        epsilon=spread / 2,
        gamma=spread / (0.1 * average_daily_volume),
        eta=spread / (0.01 * average_daily_volume),
    )


def plan(spec: Spec) -> tuple[PlannedSlice, ...]:
    """Slices in equal intervals, sized by the Almgren-Chriss trajectory for `risk_aversion`
    (lambda, per $) and `usual_impact`.

    Where price, spread, volume or volatility is unknown, and for a risk aversion of 0, the slices
    are equal: TWAP. Raises ValueError naming the argument that is wrong.
    """
    times = even_times(spec.start, spec.end, spec.slices)
    return weighted(spec, times, weights(spec))


def weights(spec: Spec) -> tuple[float, ...]:
    """Of each of `slices` equal intervals; see `plan`."""
    equal = (1.0,) * spec.slices
    volume, volatility = spec.average_daily_volume, spec.daily_volatility
    if not (spec.price and spec.spread_bps and volume and volatility):
        return equal
    spread = spec.spread_bps / 10_000 * spec.price
    impact = usual_impact(spread=spread, average_daily_volume=volume)
    if impact.eta <= 0:  # a spread too small for a float costs nothing
        return equal
    return trajectory(
        quantity=spec.quantity,
        days=(spec.end - spec.start) / spec.session.length,
        intervals=spec.slices,
        volatility=volatility * spec.price,
        impact=impact,
        risk_aversion=spec.risk_aversion,
    ).trades
