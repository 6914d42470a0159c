"""The models of what an order is expected to cost, one of which the configuration chooses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt

from execution.domain.costs import BPS, Basis, CostEstimate, default_slippage
from execution.domain.impact_models import almgren_impact, square_root_impact

Covariance = tuple[tuple[float, ...], ...]


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
    """What the models multiply by; each model has its own.

    `impact` belongs to `default`, `prefactor` to `square_root`, `gamma` and `eta` to `almgren`.
    `shares_outstanding_days` is Theta / V, the shares outstanding in average days' volume.
    `covariance` is that of the chosen model's coefficients, in its order; None is unknown.
    """

    impact: float = 0.1
    urgency: float = 1.5
    shares_outstanding_days: float = 200.0
    prefactor: float = 1.0
    gamma: float = 0.314
    eta: float = 0.142
    covariance: Covariance | None = None

    def of(self, model: "CostModel") -> tuple[float, ...]:
        return tuple(getattr(self, name) for name in model.fitted)

    def fitted(
        self, model: "CostModel", values: Sequence[float], covariance: Covariance
    ) -> "Coefficients":
        """With the model's coefficients as somebody measured them."""
        named = dict(zip(model.fitted, values, strict=True))
        return replace(self, covariance=covariance, **named)


@dataclass(frozen=True, slots=True)
class CostModel:
    """(spread / 2 + sum of coefficient * unit impact) * urgency.

    `unit_impact` gives the impact in bps for each coefficient at 1, or None where the volume or
    the volatility that it needs is unknown: then the spread alone is given, and `basis` says so.
    `published` is the covariance of the coefficients of the literature.
    """

    fitted: tuple[str, ...]
    unit_impact: Callable[[Work, Coefficients], tuple[float, ...] | None]
    published: Covariance | None = None

    def __call__(self, work: Work, by: Coefficients) -> CostEstimate:
        units = self.unit_impact(work, by)
        half_spread = work.spread_bps / 2
        impact = 0.0 if units is None else _product(by.of(self), units)
        calm, factor = half_spread + impact, urgency(work, by)
        return CostEstimate(
            bps=calm * factor,
            spread_bps=half_spread,
            impact_bps=impact,
            urgency_bps=calm * (factor - 1),
            basis=Basis.SPREAD_ONLY if units is None else Basis.SPREAD_AND_IMPACT,
            standard_error_bps=self._error(units, by, factor),
        )

    def _error(
        self, units: tuple[float, ...] | None, by: Coefficients, factor: float
    ) -> float | None:
        """sqrt(u' C u), times the urgency; the spread is taken as it is quoted."""
        known = by.covariance or self.published
        if units is None or known is None:
            return None
        variance = _product(units, [_product(row, units) for row in known])
        return factor * sqrt(max(variance, 0.0))


def _product(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def urgency(work: Work, by: Coefficients) -> float:
    return by.urgency if work.urgent else 1.0


def _default(work: Work, by: Coefficients) -> tuple[float, ...] | None:
    """See `costs.default_slippage`; it knows nothing of the duration."""
    if not work.average_daily_volume:
        return None
    whole = default_slippage(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        spread_bps=work.spread_bps,
        impact_coefficient=1.0,
        daily_volatility=work.daily_volatility,
    )
    return (whole.impact_bps,)


def _square_root(work: Work, by: Coefficients) -> tuple[float, ...] | None:
    """Two thirds of the square-root law's peak; nor does it know the duration."""
    if not (work.average_daily_volume and work.daily_volatility):
        return None
    impact = square_root_impact(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        daily_volatility=work.daily_volatility,
    )
    return (impact.average_bps,)


def _almgren(work: Work, by: Coefficients) -> tuple[float, ...] | None:
    """The realised impact of Almgren et al. 2005 over `days`; the shorter, the dearer."""
    if not (work.average_daily_volume and work.daily_volatility):
        return None
    impact = almgren_impact(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        shares_outstanding=work.average_daily_volume * by.shares_outstanding_days,
        daily_volatility=work.daily_volatility,
        days=work.days,
        gamma=1.0,
        eta=1.0,
    )
    return impact.permanent_bps / 2, impact.temporary_bps


COST_MODELS: dict[str, CostModel] = {
    "default": CostModel(("impact",), _default),
    "square_root": CostModel(("prefactor",), _square_root),
    # Almgren et al. 2005: gamma 0.314 +- 0.041, eta 0.142 +- 0.0062.
    "almgren": CostModel(("gamma", "eta"), _almgren, ((0.041**2, 0.0), (0.0, 0.0062**2))),
}


def timing_risk_bps(daily_volatility: float, days: float, *, wait: float = 0.0) -> float:
    """The standard deviation of an order's cost when it is worked evenly over `days`, begun `wait`
    days after its arrival: sigma * sqrt(wait + T / 3), as the holding falls in a straight line."""
    return daily_volatility * sqrt(wait + days / 3) * BPS
