"""The models of what an order is expected to cost, one of which the configuration chooses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import fsum, sqrt

from execution.domain.costs import (
    BPS,
    REFERENCE_VOLATILITY,
    Basis,
    CostEstimate,
    guide_slippage,
)
from execution.domain.impact_models import almgren_impact, square_root_impact

Covariance = tuple[tuple[float, ...], ...]

# The shortest duration that the law of Almgren et al. is asked for: one minute of a session. It was
# fitted to orders of half an hour and more, and would charge without end what is traded at once.
LEAST_DAYS = 1 / 390


@dataclass(frozen=True, slots=True)
class Work:
    """An order and how it would be worked; None is unknown.

    `days` is the duration in days of average volume: the part of a usual day's volume that the
    market is expected to trade meanwhile. `daily_volatility` is a fraction, `spread_bps` the full
    quoted spread. `concentration` is what the temporary impact grows by because the quantity does
    not follow the volume; 1 where it does (see `concentration`).
    """

    quantity: int
    spread_bps: float
    average_daily_volume: float | None
    daily_volatility: float | None
    days: float
    urgent: bool = False
    concentration: float = 1.0


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What the models multiply by; each model has its own.

    `impact` belongs to `guide`, `prefactor` to `square_root`, `gamma` and `eta` to `almgren`.
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

    `unit_impact` gives the impact in bps for each coefficient at 1, or None where the volume is
    unknown: then the spread alone is given, and `basis` says so. `knows_duration`: an urgent order
    is dearer by its short duration, not by the multiplier. `needs_volatility`: where it is unknown
    a daily 2 % stands in, and `basis` says so. `published` is the covariance of the coefficients
    of the literature.
    """

    fitted: tuple[str, ...]
    unit_impact: Callable[[Work, Coefficients], tuple[float, ...] | None]
    published: Covariance | None = None
    knows_duration: bool = False
    needs_volatility: bool = True

    def __call__(self, work: Work, by: Coefficients) -> CostEstimate:
        units = self.unit_impact(work, by)
        half_spread = work.spread_bps / 2
        impact = 0.0 if units is None else _product(by.of(self), units)
        calm, factor = half_spread + impact, self.urgency(work, by)
        return CostEstimate(
            bps=calm * factor,
            spread_bps=half_spread,
            impact_bps=impact,
            urgency_bps=calm * (factor - 1),
            basis=self._basis(work, units),
            standard_error_bps=self._error(units, by, factor),
        )

    def urgency(self, work: Work, by: Coefficients) -> float:
        return by.urgency if work.urgent and not self.knows_duration else 1.0

    def _basis(self, work: Work, units: tuple[float, ...] | None) -> Basis:
        if units is None:
            return Basis.SPREAD_ONLY
        assumed = self.needs_volatility and not work.daily_volatility
        return Basis.VOLATILITY_ASSUMED if assumed else Basis.SPREAD_AND_IMPACT

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


def _guide(work: Work, by: Coefficients) -> tuple[float, ...] | None:
    """See `costs.guide_slippage`; it knows nothing of the duration."""
    if not work.average_daily_volume:
        return None
    whole = guide_slippage(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        spread_bps=work.spread_bps,
        impact_coefficient=1.0,
        daily_volatility=work.daily_volatility,
    )
    return (whole.impact_bps,)


def _square_root(work: Work, by: Coefficients) -> tuple[float, ...] | None:
    """Two thirds of the square-root law's peak; nor does it know the duration."""
    if not work.average_daily_volume:
        return None
    impact = square_root_impact(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        daily_volatility=work.daily_volatility or REFERENCE_VOLATILITY,
    )
    return (impact.average_bps,)


def _almgren(work: Work, by: Coefficients) -> tuple[float, ...] | None:
    """The realised impact of Almgren et al. 2005 over `days`; the shorter, the dearer."""
    if not work.average_daily_volume:
        return None
    impact = almgren_impact(
        quantity=work.quantity,
        average_daily_volume=work.average_daily_volume,
        shares_outstanding=work.average_daily_volume * by.shares_outstanding_days,
        daily_volatility=work.daily_volatility or REFERENCE_VOLATILITY,
        days=max(work.days, LEAST_DAYS),
        gamma=1.0,
        eta=1.0,
    )
    return impact.permanent_bps / 2, impact.temporary_bps * work.concentration


COST_MODELS: dict[str, CostModel] = {
    # Almgren et al. 2005: gamma 0.314 +- 0.041, eta 0.142 +- 0.0062.
    "almgren": CostModel(
        ("gamma", "eta"), _almgren, ((0.041**2, 0.0), (0.0, 0.0062**2)), knows_duration=True
    ),
    "square_root": CostModel(("prefactor",), _square_root),
    "guide": CostModel(("impact",), _guide, needs_volatility=False),
}


def concentration(weights: Sequence[float], volumes: Sequence[float]) -> float:
    """By how much the temporary impact of `weights` of an order in equal intervals exceeds that of
    following the `volumes` expected in them: sum of w * (w / v) ** 0.6, both in parts of their
    sums; 1 or more (Almgren's exponent, each share paying the rate of its own interval). What
    falls into an interval without any volume pays as if it held a hundredth of the even part."""
    whole, market = sum(weights), sum(volumes)
    if not (whole and market):
        return 1.0
    least = 0.01 / len(volumes)
    parts = [(w / whole, max(v / market, least)) for w, v in zip(weights, volumes, strict=True)]
    return max(fsum(w * float((w / v) ** 0.6) for w, v in parts), 1.0)


def timing_risk_bps(daily_volatility: float, days: float, *, wait: float = 0.0) -> float:
    """The standard deviation of an order's cost when it is worked evenly over `days` sessions,
    begun `wait` sessions after its arrival: sigma * sqrt(wait + T / 3), as the holding falls in a
    straight line."""
    return daily_volatility * sqrt(wait + days / 3) * BPS


def schedule_risk_bps(daily_volatility: float, days: float, weights: Sequence[float]) -> float:
    """The same of an order that is worked by `weights` in equal intervals of `days` sessions, in
    each of which its holding falls in a straight line."""
    whole, left, squares = sum(weights), 1.0, 0.0
    for weight in weights:
        after = left - weight / whole
        squares += (left * left + left * after + after * after) / 3
        left = after
    return daily_volatility * sqrt(days / len(weights) * squares) * BPS
