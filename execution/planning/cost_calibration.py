"""What finished orders teach the cost model: fitted, kept for ever, found for a symbol."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef

from deepstack.config import Config
from deepstack.sync_bridge import off_loop
from execution.context import Context
from execution.domain.algorithm_comparison import Question
from execution.domain.algorithms import registry
from execution.domain.cost_calibration import Calibration, calibrate
from execution.domain.cost_fit import Observation
from execution.domain.cost_models import (
    COST_MODELS,
    Coefficients,
    CostModel,
    timing_risk_bps,
)
from execution.domain.costs import REFERENCE_VOLATILITY
from execution.domain.session import Session
from execution.market.base import Quote
from execution.models import Fill, Order, SlippageCalibration
from execution.orders import queries, results
from execution.planning import cost_estimates, volume_profiles
from execution.planning.volume_profiles import Known

FEWEST = 30
MOST_ORDERS = 5_000
ALL = ""  # the symbol of the calibration of all together
LEAST_DURATION = timedelta(minutes=1)


class NothingToLearn(LookupError):
    """No finished order can be compared with what it was expected to cost; the text says why."""


def learn(
    symbol: str = ALL, *, fewest: int = FEWEST, by: str, context: Context
) -> SlippageCalibration:
    """Fit the configured cost model to the latest finished orders of the present broker, of one
    symbol or of all, and store what came of it, adopted or not. Raises NothingToLearn."""
    name = context.config.execution.slippage.model
    reader = _Reader(
        context, COST_MODELS[name], cost_estimates.configured(context.config.execution)
    )
    seen = list(reader.observations(_orders(symbol, context)))
    if not seen:
        raise NothingToLearn(_why_nothing(reader.left_out))
    found = calibrate(seen, reader.prior.of(reader.model), fewest=fewest)
    began = [each.began for each in seen]
    return SlippageCalibration.objects.create(
        symbol=symbol,
        broker=context.broker.name,
        model=name,
        first_at=min(began),
        last_at=max(began),
        left_out=reader.left_out,
        made_by=by[:150],
        made_at=context.now(),
        **_figures(found, reader.model),
    )


def in_force(symbol: str, config: Config, *, model: str | None = None) -> Coefficients:
    """The coefficients by which the symbol's orders are estimated: the configured ones, or where
    `slippage.calibrated` is set the latest adopted fit of the symbol, else of all together; of the
    configured model unless another is named."""
    slippage, configured = config.execution.slippage, cost_estimates.configured(config.execution)
    row = _latest(symbol, _broker(config), model or slippage.model) if slippage.calibrated else None
    return configured if row is None else _as_fitted(row, configured)


@off_loop
def _latest(symbol: str, broker: str, model: str) -> SlippageCalibration | None:
    rows = SlippageCalibration.objects.filter(
        broker=broker, model=model, symbol__in=[symbol, ALL], adopted=True
    )
    return rows.order_by("-symbol", "-id").first()


def _as_fitted(row: SlippageCalibration, configured: Coefficients) -> Coefficients:
    model = COST_MODELS[row.model]
    values = [row.coefficients[name]["value"] for name in model.fitted]
    return configured.fitted(model, values, tuple(map(tuple, row.covariance)))


def _broker(config: Config) -> str:
    return config.live_broker if config.trading_mode == "live" else "paper"


def _orders(symbol: str, context: Context) -> Iterable[Order]:
    """A limit order that waits pays its own price, which says nothing of impact."""
    here = Fill.objects.filter(order=OuterRef("pk"), broker=context.broker.name)
    orders = Order.objects.filter(
        Exists(here), finished_at__isnull=False, filled_quantity__gt=0
    ).exclude(algorithm__in=registry.resting())
    if symbol != ALL:
        orders = orders.filter(symbol=symbol)
    return orders.order_by("-pk")[:MOST_ORDERS]


@dataclass(slots=True)
class _Reader:
    """Turns orders into observations, and counts why the others were left out."""

    context: Context
    model: CostModel
    prior: Coefficients
    left_out: Counter[str] = field(default_factory=Counter)
    known: dict[tuple[str, date], Known] = field(default_factory=dict)

    def observations(self, orders: Iterable[Order]) -> Iterator[Observation]:
        for order in orders:
            found = self._observation(order)
            if isinstance(found, str):
                self.left_out[found] += 1
            else:
                yield found

    def _observation(self, order: Order) -> Observation | str:
        realised = results.actual_slippage_bps(order)
        if realised is None:
            return "no quote at arrival"
        session = self.context.market.session(order.start_at)
        if session is None:
            return "no session"
        start, end = queries.window(order)
        end = max(end, start + LEAST_DURATION)
        asked = self._question(order, session, start)
        work = asked.work(end)
        units = self.model.unit_impact(work, self.prior)
        if units is None or (self.model.needs_volatility and not work.daily_volatility):
            return "daily volume or volatility unknown"
        factor = self.model.urgency(work, self.prior)
        wait = max((start - order.created_at) / session.length, 0.0)
        volatility = work.daily_volatility or REFERENCE_VOLATILITY
        moves = timing_risk_bps(volatility, asked.sessions(end), wait=wait)
        return Observation(
            began=start,
            ended=end,
            realised_bps=realised,
            given_bps=factor * work.spread_bps / 2,
            units=tuple(factor * unit for unit in units),
            # Each price is off by up to half the spread besides.
            deviation_bps=(moves**2 + (work.spread_bps / 2) ** 2) ** 0.5,
        )

    def _question(self, order: Order, session: Session, start: datetime) -> Question:
        """What was executed, in the time that it took, by what was known on the day before."""
        config, known = self.context.config.execution, self._known(order.symbol, session)
        quote = _arrival(order)
        about = cost_estimates.knowledge(order, known, session, quote, config, self.prior)
        asked = cost_estimates.question(order, session, about, quote, config)
        done = replace(asked.spec, quantity=order.filled_quantity, start=start)
        return replace(asked, spec=done)

    def _known(self, symbol: str, session: Session) -> Known:
        key = symbol, session.day
        if key not in self.known:
            self.known[key] = volume_profiles.of_session(symbol, session)
        return self.known[key]


def _arrival(order: Order) -> Quote | None:
    if order.arrival_bid is None or order.arrival_ask is None:
        return None
    return Quote(order.symbol, order.created_at, order.arrival_bid, order.arrival_ask, 0, 0)


def _why_nothing(left_out: Mapping[str, int]) -> str:
    why = "; ".join(f"{count} left out: {reason}" for reason, count in left_out.items())
    return f"no finished order to learn from{f' ({why})' if why else ''}"


def _figures(found: Calibration, model: CostModel) -> dict[str, Any]:
    made = found.fit
    rows = zip(
        model.fitted,
        found.prior,
        made.coefficients,
        made.standard_errors,
        made.prior_shares,
        strict=True,
    )
    return {
        "coefficients": {
            name: {"prior": prior, "value": value, "standard_error": error, "prior_share": share}
            for name, prior, value, error, share in rows
        },
        "prior_widened": made.widened,
        "coverage": found.coverage,
        "covariance": found.fit.covariance,
        "orders": found.n,
        "prior_error_bps": found.in_sample.prior_bps,
        "error_bps": found.in_sample.fitted_bps,
        "tested": found.out_of_sample.n,
        "prior_tested_error_bps": found.out_of_sample.prior_bps,
        "tested_error_bps": found.out_of_sample.fitted_bps,
        "adopted": found.adopted,
        "refused": found.refused,
    }
