"""What an order is expected to cost, and what orders did cost."""

from dataclasses import dataclass, replace
from decimal import Decimal

from deepstack import ready

ready.ensure()

from deepstack.config import Config, current
from deepstack.off_loop import off_loop
from execution.calibrations import in_force
from execution.domain.alternatives import or_no_basis
from execution.domain.cost_models import COST_MODELS, Coefficients, Work
from execution.domain.costs import Basis, CostEstimate
from execution.domain.signal import parse
from execution.models import Order
from execution.price_tags import URGENT
from execution.results import actual_slippage_bps


@dataclass(frozen=True, slots=True)
class SlippageEstimate:
    """Expected cost, + is a cost: in basis points of the price, and in dollars of the order.

    `standard_error_bps` is that of `slippage_bps`; None, which is told as "no basis", where nothing
    says how well the coefficients are known.
    """

    slippage_bps: float
    slippage_dollars: float
    spread_bps: float
    impact_bps: float
    urgency_bps: float
    basis: Basis
    standard_error_bps: float | None = None

    def __str__(self) -> str:
        error = or_no_basis(self.standard_error_bps)
        return f"{self.slippage_bps:.2f} bps (standard error: {error}), {self.slippage_dollars:.2f}"


@dataclass(frozen=True, slots=True)
class SlippageRecord:
    """What was expected of finished orders and what came of them, weighted by executed value."""

    orders: int
    value: Decimal
    estimated_bps: float | None
    actual_bps: float | None


class SlippageModel:
    """The configured cost model, with the calibrated coefficients where `slippage.calibrated` is
    set; an argument given here takes the place of both."""

    def __init__(
        self,
        base_spread_bps: float | None = None,
        impact_coefficient: float | None = None,
        urgency_multiplier: float | None = None,
        model: str | None = None,
        *,
        config: Config | None = None,
    ) -> None:
        self._config = config or current()
        defaults = self._config.execution.slippage
        self._given_impact = impact_coefficient
        self.base_spread_bps = _given(base_spread_bps, defaults.base_spread_bps)
        self.impact_coefficient = _given(impact_coefficient, defaults.impact_coefficient)
        self.urgency_multiplier = _given(urgency_multiplier, defaults.urgency_multiplier)
        self.model = model or defaults.model
        if self.model not in COST_MODELS:
            raise ValueError(f"model = {model!r}: must be one of {', '.join(COST_MODELS)}")

    def estimate_slippage(
        self,
        symbol: str,
        quantity: int,
        action: str,
        current_price: float | Decimal,
        avg_daily_volume: int | None = None,
        urgency: str = "NORMAL",
        volatility: float | None = None,
        spread_bps: float | None = None,
        days: float = 1.0,
    ) -> SlippageEstimate:
        """half-spread + impact_coefficient * sqrt(quantity / avg_daily_volume), as a fraction of
        the price; times the urgency multiplier for HIGH and IMMEDIATE, times volatility / 2 % where
        the daily volatility is given. The models `square_root` and `almgren` have their own impact,
        the latter for an order worked over `days` sessions. Raises ValueError naming a wrong field.
        """
        signal = parse(
            {
                "symbol": symbol,
                "quantity": quantity,
                "side": action,
                "decision_price": current_price,
                "average_daily_volume": avg_daily_volume,
                "urgency": urgency,
            }
        )
        work = Work(
            quantity=signal.quantity,
            spread_bps=_given(spread_bps, self.base_spread_bps),
            average_daily_volume=signal.average_daily_volume,
            daily_volatility=volatility,
            days=days,
            urgent=signal.urgency in URGENT,
        )
        cost = COST_MODELS[self.model](work, self._coefficients(signal.symbol))
        return _priced(cost, float(current_price) * quantity)

    def _coefficients(self, symbol: str) -> Coefficients:
        by = in_force(symbol, self._config, model=self.model)
        by = replace(by, urgency=self.urgency_multiplier)
        if self._given_impact is None:
            return by
        known = None if "impact" in COST_MODELS[self.model].fitted else by.covariance
        return replace(by, impact=self._given_impact, covariance=known)

    @off_loop
    def history(self, symbol: str | None = None, limit: int = 500) -> SlippageRecord:
        """The latest finished orders that executed anything, of one symbol or of all."""
        rows = Order.objects.filter(finished_at__isnull=False, filled_quantity__gt=0)
        if symbol is not None:
            rows = rows.filter(symbol=symbol)
        orders = list(rows.order_by("-finished_at")[:limit])
        return SlippageRecord(
            orders=len(orders),
            value=sum((order.filled_notional for order in orders), Decimal(0)),
            estimated_bps=_weighted([(o, o.estimated_slippage_bps) for o in orders]),
            actual_bps=_weighted([(o, actual_slippage_bps(o)) for o in orders]),
        )


def _given(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _priced(cost: CostEstimate, notional: float) -> SlippageEstimate:
    return SlippageEstimate(
        slippage_bps=cost.bps,
        slippage_dollars=notional * cost.bps / 10_000,
        spread_bps=cost.spread_bps,
        impact_bps=cost.impact_bps,
        urgency_bps=cost.urgency_bps,
        basis=cost.basis,
        standard_error_bps=cost.standard_error_bps,
    )


def _weighted(pairs: list[tuple[Order, float | None]]) -> float | None:
    """Ratio of sums over the orders that have the figure; None when none has."""
    known = [(float(order.filled_notional), bps) for order, bps in pairs if bps is not None]
    value = sum(weight for weight, _ in known)
    return sum(weight * bps for weight, bps in known) / value if value else None
