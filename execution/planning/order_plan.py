"""From an order and its window to its slices."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from deepstack.config import Config
from execution.domain.algorithms.base import PlannedSlice, Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.cost_models import Coefficients
from execution.domain.session import Session
from execution.domain.signal import InvalidSignal, Signal
from execution.market.base import Quote
from execution.models import Order
from execution.planning import (
    cost_calibration,
    cost_estimates,
    order_parameters,
    participation,
    volume_profiles,
)
from execution.planning.cost_estimates import Knowledge
from execution.planning.trading_window import Window, usual_grid, usual_slices
from execution.planning.volume_profiles import Known


@dataclass(frozen=True, slots=True)
class Knowing:
    """What is known of the symbols of a batch; each is read once."""

    known: dict[tuple[str, date], Known] = field(default_factory=dict)
    fitted: dict[str, Coefficients] = field(default_factory=dict)

    def about(
        self, order: Order, session: Session, quote: Quote | None, config: Config
    ) -> Knowledge:
        key = (order.symbol, session.day)
        if key not in self.known:
            self.known[key] = volume_profiles.of_session(order.symbol, session)
        if order.symbol not in self.fitted:
            self.fitted[order.symbol] = cost_calibration.in_force(order.symbol, config)
        by = self.fitted[order.symbol]
        return cost_estimates.knowledge(
            order, self.known[key], session, quote, config.execution, by
        )


def spec(
    signal: Signal,
    order: Order,
    window: Window,
    about: Knowledge,
    quote: Quote | None,
    config: Config,
) -> Spec:
    """What the order's plan is made from. Raises InvalidSignal for more slices than may be."""
    execution = config.execution
    price = quote.mid if quote else order.decision_price
    return Spec(
        quantity=order.quantity,
        start=window.start,
        end=window.end,
        slices=_slice_count(signal, order, window, config),
        session=window.session,
        profile=about.known.profile,
        seed=order.seed,
        jitter=timedelta(seconds=execution.twap.timing_randomization),
        participation=participation.participation(order, execution),
        session_volume=about.session_volume,
        average_daily_volume=about.usual_volume,
        daily_volatility=about.known.daily_volatility,
        price=None if price is None else float(price),
        spread_bps=about.spread_bps,
        risk_aversion=execution.implementation_shortfall.risk_aversion,
        lot=order_parameters.lot(order),
        min_slice=order_parameters.least(order),
        max_slice=order_parameters.most(order),
        grid=None if signal.slices else usual_grid(order.algorithm, window, config),
    )


def _slice_count(signal: Signal, order: Order, window: Window, config: Config) -> int:
    """As many as were asked for, else as usual and as the largest slice makes necessary."""
    most = config.limits.max_slices
    if signal.slices is not None:
        if signal.slices > most:
            raise InvalidSignal({"slices": f"must not exceed {most:,}, got {signal.slices:,}"})
        return signal.slices
    largest = order_parameters.most(order)
    needed = order_parameters.slices_for(order.quantity, largest, order_parameters.lot(order))
    if needed > most:
        text = f"{order.quantity:,} shares need {needed:,} slices of {largest}; {most:,} may be"
        raise InvalidSignal({"max_slice": text})
    return max(needed, usual_slices(order.algorithm, window, config.execution))


def plan(spec: Spec, order: Order) -> tuple[PlannedSlice, ...]:
    """By the order's algorithm. Raises InvalidSignal that names the bound which leaves none."""
    try:
        return ALGOS[order.algorithm].plan(spec)
    except ValueError as error:
        bounds = [name for name in ("slices", "max_slice", "min_slice") if name in order.parameters]
        raise InvalidSignal({bounds[0] if bounds else "slices": str(error)}) from None
