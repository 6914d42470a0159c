"""Implementation shortfall: faster than TWAP, as far as the risk of waiting is worth the impact."""

from datetime import datetime, timedelta

from execution.domain.algorithms.almgren_chriss import Impact, trajectory
from execution.domain.algorithms.base import PlannedSlice, plan_weighted
from execution.domain.session import Session
from execution.domain.slice_times import even_times


def usual_impact(*, spread: float, average_daily_volume: float) -> Impact:
    """The rule of thumb of Almgren and Chriss (2000): trading 1 % of a day's volume in a day costs
    one spread more, and 10 % moves the price for good by one spread. `spread` in $ a share."""
    return Impact(
        epsilon=spread / 2,
        gamma=spread / (0.1 * average_daily_volume),
        eta=spread / (0.01 * average_daily_volume),
    )


def plan_is(
    *,
    quantity: int,
    start: datetime,
    end: datetime,
    slices: int,
    session: Session,
    price: float | None,
    spread_bps: float,
    average_daily_volume: float | None,
    daily_volatility: float | None,
    risk_aversion: float,
    seed: int,
    jitter: timedelta = timedelta(0),
    lot: int = 1,
    min_slice: int = 1,
    max_slice: int | None = None,
) -> tuple[PlannedSlice, ...]:
    """Slices in equal intervals, sized by the Almgren-Chriss trajectory for `risk_aversion`
    (lambda, per $) and `usual_impact`.

    Where price, spread, volume or volatility is unknown, and for a risk aversion of 0, the slices
    are equal: TWAP. Raises ValueError naming the argument that is wrong.
    """
    times = even_times(start, end, slices)
    weights: tuple[float, ...] = (1.0,) * slices
    if price and spread_bps and average_daily_volume and daily_volatility:
        impact = usual_impact(
            spread=spread_bps / 10_000 * price, average_daily_volume=average_daily_volume
        )
        if impact.eta > 0:  # a spread too small for a float costs nothing
            weights = trajectory(
                quantity=quantity,
                days=(end - start) / session.length,
                intervals=slices,
                volatility=daily_volatility * price,
                impact=impact,
                risk_aversion=risk_aversion,
            ).trades
    return plan_weighted(
        quantity=quantity,
        times=times,
        end=end,
        weights=weights,
        jitter=jitter,
        seed=seed,
        lot=lot,
        min_slice=min_slice,
        max_slice=max_slice,
    )
