"""Each circuit breaker trips on paper: a reading beyond its threshold is made up, and all that
follows is real. The scopes are the drill's own, so that no other order is held."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from deepstack.config import Config, current
from deepstack.config_breakers import Breakers
from execution import context
from execution.domain.lifecycle import OrderStatus
from execution.entry import acceptance, order_controls
from execution.entry.order_controls import NotAllowed
from execution.models import Order
from execution.risk import kill_switch
from monitoring.breakers import trips
from monitoring.breakers.rules import Reading, Target
from monitoring.clocks import Moment
from monitoring.models import BreakerTrip

BY = "drill"
ACCOUNT, STRATEGY, SYMBOL = "breaker-drill", "breaker-drill", "DRILL"
# Narrow scopes alone: a drill of HALT_ALL would hold everybody's orders.
ACTIONS = {
    "order_slippage": "PAUSE_ORDER",
    "symbol_slippage": "HALT_SYMBOL",
    "day_slippage": "HALT_ACCOUNT",
    "reject_rate": "HALT_ACCOUNT",
    "daily_loss": "HALT_ACCOUNT",
    "stale_data": "HALT_SYMBOL",
    "runaway": "HALT_STRATEGY",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    breaker: str
    held: str
    problem: str = ""


def run() -> list[Outcome]:
    """All breakers, one after the other; leaves nothing halted and no order open."""
    config = current().model_copy(update={"breakers": _settings()})
    return [_drill(name, config) for name in ACTIONS]


def _settings() -> Breakers:
    return Breakers.model_validate(
        {
            name: {"threshold": "1", "action": action, "cooldown_minutes": 0}
            for name, action in ACTIONS.items()
        }
    )


def _drill(name: str, config: Config) -> Outcome:
    order = _order()
    if order.status == OrderStatus.DENIED:
        return Outcome(name, "", f"the drill's own order was denied: {order.status_reason}")
    try:
        value = 2 + _measured_last(name)
        reading = Reading(name, value, ACCOUNT, SYMBOL, STRATEGY, order.pk)
        made = trips.judge([reading], moment=Moment.read(), config=config)
        return _held(made[0], order) if made else Outcome(name, "", "it did not trip")
    finally:
        with suppress(NotAllowed):
            order_controls.cancel(order.pk, by=BY, now=context.default().now(), reason="drill over")


def _held(trip: BreakerTrip, order: Order) -> Outcome:
    target = Target(trip.scope, trip.key)
    return Outcome(trip.breaker, str(target), "; ".join(_problems(trip, target, order)))


def _problems(trip: BreakerTrip, target: Target, order: Order) -> Iterator[str]:
    usual = context.default()
    if target.scope == trips.ORDER:
        order.refresh_from_db()
        if order.status != OrderStatus.PAUSED:
            yield f"the order is {order.status} instead of PAUSED"
        order_controls.resume(order.pk, by=BY, now=usual.now(), reason="drill over")
    else:
        refused = _order()
        if not refused.status_reason.startswith("TRADING_HALTED"):
            yield f"an order was {refused.status} in spite of it"
            order_controls.cancel(refused.pk, by=BY, now=usual.now(), reason="drill over")
        kill_switch.resume(
            scope=target.scope,
            key=target.key,
            by=BY,
            reason="drill over",
            now=usual.now(),
            approved=True,  # what the drill itself has halted
        )
    trips.note_resumed()
    trip.refresh_from_db()
    if trip.resumed_by != BY:
        yield "it was not armed again"


def _order() -> Order:
    """A small order whose window begins tomorrow: nothing of it is ever sent."""
    usual = context.default()
    start = usual.market.next_session(usual.now() + timedelta(days=1)).open
    signal = {
        "symbol": SYMBOL,
        "side": "BUY",
        "quantity": 10,
        "account": ACCOUNT,
        "strategy": STRATEGY,
        "algorithm": "TWAP",
        "slices": 2,
        "start_at": start.isoformat(),
        "window_minutes": 10,
    }
    return acceptance.accept_all([signal], usual)[0]


def _measured_last(name: str) -> Decimal:
    last = BreakerTrip.objects.filter(breaker=name, key__in=[ACCOUNT, STRATEGY, SYMBOL])
    return last.order_by("-pk").values_list("measured", flat=True).first() or Decimal(0)
