"""The models of what an order is expected to cost, one of which the configuration chooses."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from execution.domain.costs import BPS, Basis, CostEstimate, default_slippage
from execution.domain.impact import almgren_impact, square_root_impact


@dataclass(frozen=True, slots=True)
class Work:
    """An order and how it would be worked. `days` is the duration in sessions, `daily_volatility`
    a fraction, `spread_bps` the full quoted spread; None is unknown."""

    quantity: int
    spread_bps: float
    average_daily_volume: float | None
    daily_volatility: float | None
    days: float
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Coefficients:
    """`shares_outstanding_days` is Theta / V, the shares outstanding in average days' volume."""

    impact: float = 0.1
    urgency: float = 1.5
    shares_outstanding_days: float = 200.0


def default(work: Work, by: Coefficients) -> CostEstimate:
    """See `costs.default_slippage`; it knows nothing of the duration."""
    return default_slippage(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        spread_bps=work.spread_bps,
        impact_coefficient=by.impact,
        urgency_multiplier=by.urgency if work.urgent else 1.0,
        daily_volatility=work.daily_volatility,
    )


def square_root(work: Work, by: Coefficients) -> CostEstimate:
    """Half the spread and two thirds of the square-root law's peak; nor does it know the duration.

    Without volume or volatility only the spread part is given, and `basis` says so.
    """
    if not (work.average_daily_volume and work.daily_volatility):
        return _estimate(work, by, None)
    impact = square_root_impact(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        daily_volatility=work.daily_volatility,
    )
    return _estimate(work, by, impact.average_bps)


def almgren(work: Work, by: Coefficients) -> CostEstimate:
    """Half the spread and the realised impact of Almgren et al. 2005 over `days`; the shorter, the
    dearer. Without volume or volatility as `square_root`."""
    if not (work.average_daily_volume and work.daily_volatility):
        return _estimate(work, by, None)
    impact = almgren_impact(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        shares_outstanding=work.average_daily_volume * by.shares_outstanding_days,
        daily_volatility=work.daily_volatility,
        days=work.days,
    )
    return _estimate(work, by, impact.realised_bps)


COST_MODELS: dict[str, Callable[[Work, Coefficients], CostEstimate]] = {
    "default": default,
    "square_root": square_root,
    "almgren": almgren,
}


def timing_risk_bps(daily_volatility: float, days: float) -> float:
    """The standard deviation of an order's cost when it is worked evenly over `days`:
    sigma * sqrt(T / 3), as the holding falls in a straight line."""
    return daily_volatility * sqrt(days / 3) * BPS


def _estimate(work: Work, by: Coefficients, impact_bps: float | None) -> CostEstimate:
    half_spread, impact = work.spread_bps / 2, impact_bps or 0.0
    calm = half_spread + impact
    total = calm * (by.urgency if work.urgent else 1.0)
    basis = Basis.SPREAD_ONLY if impact_bps is None else Basis.SPREAD_AND_IMPACT
    return CostEstimate(total, half_spread, impact, total - calm, basis)
