"""Market impact models from the literature, in basis points of the order's value; + is a cost."""

from dataclasses import dataclass
from math import isfinite, sqrt

from execution.domain.costs import BPS


@dataclass(frozen=True, slots=True)
class SquareRootImpact:
    """`peak_bps` is the move at the end of the order; `average_bps` is what the order pays."""

    peak_bps: float
    average_bps: float


def square_root_impact(
    *, quantity: float, average_daily_volume: float, daily_volatility: float, prefactor: float = 1.0
) -> SquareRootImpact:
    """The square-root law: peak = prefactor * sigma * sqrt(Q / V), of which an order that is
    worked evenly pays two thirds.

    Q shares, V shares a day, sigma the daily volatility as a fraction; the prefactor is of order
    one (Toth et al. 2011; Sato and Kanazawa 2024 measure an exponent of 0.489).
    """
    _check_positive(quantity=quantity, average_daily_volume=average_daily_volume)
    _check_positive(daily_volatility=daily_volatility, prefactor=prefactor)
    peak = prefactor * daily_volatility * sqrt(quantity / average_daily_volume) * BPS
    return SquareRootImpact(peak, peak * 2 / 3)


@dataclass(frozen=True, slots=True)
class AlmgrenImpact:
    """`permanent_bps` (I) stays after the order, `temporary_bps` (K) does not; the order pays
    `realised_bps` J = I / 2 + K on average."""

    permanent_bps: float
    temporary_bps: float
    realised_bps: float


def almgren_impact(
    *,
    quantity: float,
    average_daily_volume: float,
    shares_outstanding: float,
    daily_volatility: float,
    days: float,
    gamma: float = 0.314,
    eta: float = 0.142,
) -> AlmgrenImpact:
    """Almgren, Thum, Hauptmann and Li, "Direct Estimation of Equity Market Impact" (2005).

    I = gamma * sigma * (X / V) * (Theta / V) ** (1/4)
    K = eta * sigma * (X / (V * T)) ** (3/5)

    X shares, V shares a day, Theta shares outstanding, sigma the daily volatility as a fraction,
    T the duration in trading days (6.5 hours are 1).
    """
    _check_positive(quantity=quantity, average_daily_volume=average_daily_volume)
    _check_positive(shares_outstanding=shares_outstanding, daily_volatility=daily_volatility)
    _check_positive(days=days, gamma=gamma, eta=eta)
    part = quantity / average_daily_volume
    turnover = shares_outstanding / average_daily_volume
    permanent = gamma * daily_volatility * part * turnover**0.25 * BPS
    temporary = eta * daily_volatility * (part / days) ** 0.6 * BPS
    return AlmgrenImpact(permanent, temporary, permanent / 2 + temporary)


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not (isfinite(value) and value > 0):
            raise ValueError(f"{name} = {value}: must be finite and positive")
