"""What an order is expected to cost, and what orders did cost."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from deepstack import django_setup

django_setup.ensure()

from pydantic import ValidationError

from deepstack.config import Config, Slippage, current
from deepstack.sync_bridge import off_loop
from execution.domain.cost_models import COST_MODELS, LEAST_DAYS, Coefficients, Work
from execution.domain.costs import Basis, CostEstimate
from execution.domain.reading import number, refusal, shown, whole
from execution.domain.signal import InvalidSignal, parse, ticker
from execution.models import Order
from execution.orders.results import actual_slippage_bps
from execution.planning.arguments import ROUTER, checked, read_as_signal
from execution.planning.cost_calibration import in_force
from execution.planning.cost_estimates import URGENT

MOST_ORDERS = 1_000_000  # that a history may be asked of


@dataclass(frozen=True, slots=True)
class SlippageEstimate:
    """Expected cost, + is a cost: in basis points of the price, and in dollars of the order.

    `standard_error_bps` is that of `slippage_bps`; None, shown as n/a, where nothing says
    how well the coefficients are known.
    """

    slippage_bps: float
    slippage_dollars: float
    spread_bps: float
    impact_bps: float
    urgency_bps: float
    basis: Basis
    standard_error_bps: float | None = None

    def __str__(self) -> str:
        known = self.standard_error_bps
        error = "n/a" if known is None else f"{known:.4g}"
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
    set; an argument given here takes the place of both. `impact_coefficient` belongs to the guide's
    formula, which is chosen by it unless `model` names another."""

    def __init__(
        self,
        base_spread_bps: float | None = None,
        impact_coefficient: float | None = None,
        urgency_multiplier: float | None = None,
        model: str | None = None,
        *,
        config: Config | None = None,
    ) -> None:
        self._config = current() if config is None else config
        defaults = self._config.execution.slippage
        self._given_impact = impact_coefficient
        if model is None and impact_coefficient is not None:
            model = "guide"
        own = {
            "base_spread_bps": base_spread_bps,
            "impact_coefficient": impact_coefficient,
            "urgency_multiplier": urgency_multiplier,
            "model": model,
        }
        chosen = _checked(defaults, {name: v for name, v in own.items() if v is not None})
        self.base_spread_bps = chosen.base_spread_bps
        self.impact_coefficient = chosen.impact_coefficient
        self.urgency_multiplier = chosen.urgency_multiplier
        self.model: str = chosen.model

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
        days: float | None = None,
    ) -> SlippageEstimate:
        """Half the spread and the model's impact; `volatility` is daily, as a fraction.

        `almgren`: Almgren et al. (2005) for an order worked over `days` days of average volume (a
        day; HIGH and IMMEDIATE: a minute's part of one). `square_root`: 2 / 3 * volatility *
        sqrt(quantity / avg_daily_volume). `guide`: impact_coefficient * sqrt(quantity /
        avg_daily_volume), times volatility / 2 % where that is given. The last two are multiplied
        for HIGH and IMMEDIATE. Raises ValueError naming a wrong field.
        """
        arguments = {
            "symbol": symbol,
            "quantity": quantity,
            "action": action,
            "current_price": current_price,
            "avg_daily_volume": avg_daily_volume,
            "urgency": urgency,
        }
        with read_as_signal(arguments, {}, ROUTER) as values:
            signal = parse(values)
        if signal.decision_price is None:
            raise InvalidSignal({"current_price": "is required"})
        spread, daily = spread_bps, volatility
        work = Work(
            quantity=signal.quantity,
            spread_bps=(
                self.base_spread_bps if spread is None else _finite("spread_bps", spread, zero=True)
            ),
            average_daily_volume=signal.average_daily_volume,
            daily_volatility=None if daily is None else _finite("volatility", daily),
            days=_days(signal.urgency in URGENT) if days is None else _finite("days", days),
            urgent=signal.urgency in URGENT,
        )
        cost = COST_MODELS[self.model](work, self._coefficients(signal.symbol))
        return _priced(cost, float(signal.decision_price) * signal.quantity)

    def _coefficients(self, symbol: str) -> Coefficients:
        by = in_force(symbol, self._config, model=self.model)
        by = replace(by, urgency=self.urgency_multiplier)
        if self._given_impact is None:
            return by
        known = None if "impact" in COST_MODELS[self.model].fitted else by.covariance
        return replace(by, impact=self._given_impact, covariance=known)

    @off_loop
    def history(self, symbol: str | None = None, limit: int = 500) -> SlippageRecord:
        """The latest finished orders that executed anything, of one symbol or of all.

        Raises ValueError for a limit that is no count of orders, and for what is no symbol.
        """
        checked("symbol", symbol, ticker)
        limit = checked("limit", limit, whole(MOST_ORDERS))
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


def _checked(defaults: Slippage, own: Mapping[str, object]) -> Slippage:
    """The settings with a caller's own values, held to the same bounds. Raises ValueError."""
    try:
        return Slippage.model_validate(defaults.model_dump() | dict(own))
    except ValidationError as error:
        lines = [f"{p['loc'][0]} = {shown(p['input'])}: {p['msg']}" for p in error.errors()]
        raise ValueError("; ".join(lines)) from None


def _days(urgent: bool) -> float:
    return LEAST_DAYS if urgent else 1.0


def _finite(name: str, given: object, *, zero: bool = False) -> float:
    """A number above 0, or 0 where that means something. Raises ValueError."""
    found = number(given)
    if found is not None and (found > 0 or (zero and found == 0)):
        return float(found)
    wanted = "a number of at least 0" if zero else "a number above 0"
    raise ValueError(f"{name}: {refusal(wanted, given)}")


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
