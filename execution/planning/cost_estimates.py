"""What an order is expected to cost, by the configured model and by what is known of its symbol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from deepstack.config import Execution
from execution.domain import algorithm_comparison
from execution.domain.algorithm_comparison import Question, alternatives, over_window
from execution.domain.algorithms.base import PlannedSlice, Spec
from execution.domain.cost_models import Coefficients
from execution.domain.costs import BPS, CostEstimate
from execution.domain.session import Session
from execution.domain.vwap_tracking import expected_deviation_bps
from execution.market.base import Quote
from execution.models import Order
from execution.planning import order_parameters, participation
from execution.planning.volume_profiles import Known

URGENT = frozenset({"HIGH", "IMMEDIATE"})


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of an order's symbol when its signal arrives. Volumes in shares:
    `usual_volume` of a session, `session_volume` expected of the order's; None is unknown."""

    known: Known
    spread_bps: float
    usual_volume: float | None
    session_volume: float | None
    coefficients: Coefficients


def knowledge(
    order: Order,
    known: Known,
    session: Session,
    quote: Quote | None,
    config: Execution,
    coefficients: Coefficients,
) -> Knowledge:
    """The caller's average daily volume comes before the learned one, a live spread before the
    configured one."""
    live = quote is not None and quote.bid < quote.ask
    usual = order.average_daily_volume or known.mean_volume
    expected = known.expected_volume or usual
    return Knowledge(
        known=known,
        spread_bps=float(quote.spread_bps) if quote and live else config.slippage.base_spread_bps,
        usual_volume=usual,
        session_volume=expected * known.part_of_day(session) if expected else None,
        coefficients=coefficients,
    )


def configured(config: Execution) -> Coefficients:
    """The coefficients before any calibration."""
    model = config.slippage
    return Coefficients(
        impact=model.impact_coefficient,
        urgency=model.urgency_multiplier,
        shares_outstanding_days=model.shares_outstanding_days,
    )


def question(
    order: Order,
    session: Session,
    about: Knowledge,
    quote: Quote | None,
    config: Execution,
) -> Question:
    """What the estimates of the order need, whatever its algorithm and the end of its window."""
    price = quote.mid if quote else order.decision_price
    spec = Spec(
        quantity=order.quantity,
        start=order.start_at,
        end=session.close,
        slices=1,
        session=session,
        profile=about.known.profile,
        seed=0,
        jitter=timedelta(),
        participation=participation.participation(order, config),
        session_volume=about.session_volume,
        average_daily_volume=about.usual_volume,
        daily_volatility=about.known.daily_volatility,
        price=None if price is None else float(price),
        spread_bps=about.spread_bps,
        risk_aversion=config.implementation_shortfall.risk_aversion,
    )
    return Question(
        spec=spec,
        cap=participation.smallest_cap(order, config),
        urgent=order.urgency in URGENT,
        limit_bps=_beyond(order, quote),
        model=config.slippage.model,
        coefficients=about.coefficients,
    )


def estimate(order: Order, asked: Question) -> CostEstimate:
    """Of the order as it was routed. An algorithm of the broker's works it over its window."""
    if order_parameters.native(order):
        return over_window(asked, order.end_at)
    return algorithm_comparison.estimate(asked, order.algorithm, order.end_at)


def vwap_deviation_bps(
    order: Order, plan: Sequence[PlannedSlice], session: Session, about: Knowledge
) -> float | None:
    """How far from the market's VWAP the order may end although nothing goes wrong."""
    expected = expected_deviation_bps(
        about.known.deviations,
        order.algorithm,
        session,
        plan,
        end=order.end_at,
        daily_volatility=about.known.daily_volatility,
        spread_bps=about.spread_bps,
    )
    return None if expected is None else round(expected, 4)


def alternatives_of(asked: Question, ends: Mapping[str, datetime]) -> list[dict[str, object]]:
    """For each algorithm, by the end that its window would have; see `Alternative.as_json`."""
    return [alternative.as_json() for alternative in alternatives(asked, ends)]


def _beyond(order: Order, quote: Quote | None) -> float | None:
    """How far the price at which a child would rest lies beyond the mid; None: at its own side of
    the book, where one that is patient first waits whatever its limit allows later."""
    if order.limit_price is None or quote is None:
        return None
    beyond = float(order.side_sign * (order.limit_price / quote.mid - 1) * BPS)
    joins = order_parameters.is_passive_first(order) and beyond > -quote.spread_bps / 2
    return None if joins else beyond
