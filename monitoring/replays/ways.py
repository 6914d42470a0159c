"""The ways in which an order could have been worked: each as live orders of that algorithm are."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deepstack.config import Config
from execution.domain.algorithms import registry
from execution.domain.session import Session
from execution.domain.signal import InvalidSignal, Signal
from execution.market.base import Quote
from execution.models import Order, Slice
from execution.planning import order_parameters, order_plan, participation, volume_profiles
from execution.planning.cost_estimates import Knowledge
from execution.planning.order_plan import Knowing
from execution.planning.trading_window import window_of
from monitoring.replays.working import Expected, Terms

MINUTE = timedelta(minutes=1)


class NotReplayed(Exception):
    """The order cannot be worked in this way; the reason in words."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Of one order; `config` is the one that holds for it."""

    order: Order
    session: Session
    config: Config
    knowing: Knowing = field(default_factory=Knowing)

    def terms(self, algorithm: str) -> Terms:
        """Raises NotReplayed."""
        order = self._by(algorithm)
        if not registry.of(algorithm).rests and not self.session.is_regular(order.start_at):
            raise NotReplayed("works in regular hours only")
        try:
            return self._terms(order, algorithm)
        except (InvalidSignal, ValueError) as error:
            raise NotReplayed(str(error)) from None

    def _by(self, algorithm: str) -> Order:
        """The order as it would have been accepted with this algorithm."""
        if algorithm == self.order.algorithm and order_parameters.native(self.order):
            raise NotReplayed("the broker's own algorithm worked it")
        order = copy(self.order)
        order.algorithm, order.routing = algorithm, {}
        order.parameters = dict(self.order.parameters)
        order.parameters.pop("native", None)
        order_parameters.sift(order)
        if algorithm != self.order.algorithm and _joined_the_book(self.order):
            order.limit_price = None
        return order

    def _terms(self, order: Order, algorithm: str) -> Terms:
        execution, kind = self.config.execution, registry.of(algorithm)
        signal, quote = signal_of(order), arrival_quote(order)
        window = window_of(signal, algorithm, self.session, order.start_at, execution)
        order.start_at, order.end_at = window.start, window.end
        about = self.knowing.about(order, self.session, quote, self.config)
        spec = order_plan.spec(signal, order, window, about, quote, self.config)
        routing = execution.routing
        return Terms(
            algorithm=algorithm,
            side=order.side,
            spec=spec,
            tolerance_bps=(
                routing.urgent_tolerance_bps if kind.urgent else routing.child_tolerance_bps
            ),
            collar=self.config.limits.price_collar,
            limit=order.limit_price,
            would_price=order.would_price,
            pace=participation.pace(order, Slice(sequence=0), execution),
            expected=self._expected(order, about, algorithm),
        )

    def _expected(self, order: Order, about: Knowledge, algorithm: str) -> Expected | None:
        kind = registry.of(algorithm)
        asks = kind.follows_tape or (kind.dynamic and self.config.execution.vwap.dynamic)
        if not asks or self.session.always or about.known.row is None:
            return None
        usual, today = about.known.volumes_of(self.session, order.average_daily_volume)
        return Expected(usual, today, volume_profiles.forecast_constants(self.config))


def signal_of(order: Order) -> Signal:
    """What was asked about the order's time: a window that was named holds for every algorithm,
    else each has its usual one. Of an order that does not know, its own window holds."""
    asked: Mapping[str, object] = order.asked
    end, minutes = asked.get("end_at"), asked.get("window_minutes")
    given = order.end_at if not asked else None
    if isinstance(end, str):
        given = datetime.fromisoformat(end)
    return Signal(
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        end_at=given,
        window=MINUTE * minutes if isinstance(minutes, int | float) else None,
        slices=order.parameters.get("slices"),
    )


def _joined_the_book(order: Order) -> bool:
    """Whether the limit is not the caller's own but the near touch at arrival."""
    unlimited = bool(order.asked) and "limit_price" not in order.asked and order.version == 1
    return registry.of(order.algorithm).rests and unlimited


def arrival_quote(order: Order) -> Quote | None:
    """As it was at arrival; of its sizes nothing is kept, and no plan asks."""
    bid, ask = order.arrival_bid, order.arrival_ask
    if bid is None or ask is None:
        return None
    return Quote(order.symbol, order.created_at, bid, ask, 0, 0)
