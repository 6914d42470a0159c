"""What an order is expected to cost, by the configured model and by what is known of its symbol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deepstack.config import Execution
from execution.domain.algorithm_comparison import Question, alternatives
from execution.domain.algorithms.base import PlannedSlice
from execution.domain.cost_models import COST_MODELS, Coefficients, Work
from execution.domain.costs import BPS, CostEstimate
from execution.domain.session import Session
from execution.domain.vwap_tracking import expected_deviation_bps
from execution.market.base import Quote
from execution.models import Order
from execution.planning import participation
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


def work(order: Order, end: datetime, session: Session, about: Knowledge) -> Work:
    return Work(
        quantity=order.quantity,
        spread_bps=about.spread_bps,
        average_daily_volume=about.usual_volume,
        daily_volatility=about.known.daily_volatility,
        days=(end - order.start_at) / session.length,
        urgent=order.urgency in URGENT,
    )


def estimate(
    order: Order, end: datetime, session: Session, about: Knowledge, config: Execution
) -> CostEstimate:
    model = COST_MODELS[config.slippage.model]
    return model(work(order, end, session, about), about.coefficients)


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


def price_tags(
    order: Order,
    ends: Mapping[str, datetime],
    session: Session,
    about: Knowledge,
    quote: Quote | None,
    config: Execution,
) -> list[dict[str, object]]:
    """For each algorithm, by the end that its window would have; see `Alternative.told`."""
    question = Question(
        quantity=order.quantity,
        start=order.start_at,
        session=session,
        profile=about.known.profile,
        spread_bps=about.spread_bps,
        average_daily_volume=about.usual_volume,
        session_volume=about.session_volume,
        daily_volatility=about.known.daily_volatility,
        cap=participation.smallest_cap(order, config),
        urgent=order.urgency in URGENT,
        limit_bps=_beyond(order, quote),
        model=config.slippage.model,
        coefficients=about.coefficients,
    )
    return [alternative.told() for alternative in alternatives(question, ends)]


def _beyond(order: Order, quote: Quote | None) -> float | None:
    if order.limit_price is None or quote is None:
        return None
    return float(order.side_sign * (order.limit_price / quote.mid - 1) * BPS)
