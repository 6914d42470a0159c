"""What an order is expected to cost, and what orders did cost."""

from dataclasses import dataclass
from decimal import Decimal

from deepstack import ready

ready.ensure()

from deepstack.config import current
from deepstack.off_loop import off_loop
from execution.domain.cost_models import COST_MODELS, Coefficients, Work
from execution.domain.costs import Basis, CostEstimate
from execution.domain.signal import parse
from execution.models import Order
from execution.price_tags import URGENT
from execution.results import actual_slippage_bps


@dataclass(frozen=True, slots=True)
class SlippageEstimate:
    """Expected cost, + is a cost: in basis points of the price, and in dollars of the order."""

    slippage_bps: float
    slippage_dollars: float
    spread_bps: float
    impact_bps: float
    urgency_bps: float
    basis: Basis


@dataclass(frozen=True, slots=True)
class SlippageRecord:
    """What was expected of finished orders and what came of them, weighted by executed value."""

    orders: int
    value: Decimal
    estimated_bps: float | None
    actual_bps: float | None


class SlippageModel:
    """The configured cost model; an argument given here takes the configuration's place."""

    def __init__(
        self,
        base_spread_bps: float | None = None,
        impact_coefficient: float | None = None,
        urgency_multiplier: float | None = None,
        model: str | None = None,
    ) -> None:
        defaults = current().execution.slippage
        self.base_spread_bps = _given(base_spread_bps, defaults.base_spread_bps)
        self.impact_coefficient = _given(impact_coefficient, defaults.impact_coefficient)
        self.urgency_multiplier = _given(urgency_multiplier, defaults.urgency_multiplier)
        self.shares_outstanding_days = defaults.shares_outstanding_days
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
        by = Coefficients(
            self.impact_coefficient, self.urgency_multiplier, self.shares_outstanding_days
        )
        cost = COST_MODELS[self.model](work, by)
        return _priced(cost, float(current_price) * quantity)

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
    )


def _weighted(pairs: list[tuple[Order, float | None]]) -> float | None:
    """Ratio of sums over the orders that have the figure; None when none has."""
    known = [(float(order.filled_notional), bps) for order, bps in pairs if bps is not None]
    value = sum(weight for weight, _ in known)
    return sum(weight * bps for weight, bps in known) / value if value else None
