"""Circuit breakers at work: what trips is held by the trading states or a pause, recorded,
and raises an alert; what a named person has resumed is armed again."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from decimal import Decimal

import structlog
from django.db.models import QuerySet
from django.utils import timezone

from deepstack.config import Config
from deepstack.config_breakers import Breaker
from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import exchange_midnight, exchange_time
from execution.domain.lifecycle import OrderStatus
from execution.entry import order_controls
from execution.entry.order_controls import NotAllowed
from execution.market.base import MarketData
from execution.models import Order, OrderEvent, TradingState
from execution.risk import kill_switch
from monitoring.alerting.rules import Finding
from monitoring.breakers import readings, rules
from monitoring.breakers.rules import Reading, Target
from monitoring.clocks import Moment
from monitoring.models import BreakerTrip

log = structlog.get_logger(__name__)

ORDER = "ORDER"
GONE_BY = "the order's end"


def watch(orders: Collection[int], *, moment: Moment, config: Config) -> None:
    """One evaluation of all breakers but the loss. `orders`: those with new events. Not inside a
    transaction. An evaluation that dies half way is made good by the next."""
    if _armed(config):
        found = readings.from_rows(orders, config.breakers, moment, _resumed_lately(moment))
        judge(found, moment=moment, config=config)


def watch_losses(market: MarketData, *, moment: Moment, config: Config) -> None:
    if config.breakers.daily_loss.threshold is not None:
        judge(readings.losses(market, moment), moment=moment, config=config)


def judge(found: Iterable[Reading], *, moment: Moment, config: Config) -> list[BreakerTrip]:
    """Trip what must trip; the trips that are new."""
    settings = config.breakers.by_name()
    made = []
    for reading in found:
        setting = settings[reading.breaker]
        held = rules.target(reading, setting.action)
        if not rules.trips(reading, setting, _resumed_at(reading, held, moment)):
            continue
        if not open_trips().filter(breaker=reading.breaker, scope=held.scope, key=held.key):
            made += _trip(reading, held, setting, moment)
    return made


def open_trips() -> "QuerySet[BreakerTrip]":
    return BreakerTrip.objects.filter(resumed_at_real__isnull=True).order_by("pk")


def findings() -> list[Finding]:
    """An alert for each trip that nobody has resumed yet; the others are armed again."""
    return [
        rules.finding(
            number=trip.pk,
            name=trip.breaker,
            held=Target(trip.scope, trip.key),
            measured=trip.words,
            account=trip.account,
            until=exchange_time(trip.cooldown_until_real),
        )
        for trip in note_resumed()
    ]


def note_resumed() -> list[BreakerTrip]:
    """Arm the breakers again whose hold a person has lifted, under that person's name; returns
    what still holds."""
    holding = []
    for trip in open_trips():
        over = _order_goes_on(trip) if trip.scope == ORDER else _state_is_lifted(trip)
        if over is None:
            holding.append(trip)
            continue
        by, why = over
        BreakerTrip.objects.filter(pk=trip.pk, resumed_at_real__isnull=True).update(
            resumed_at_real=timezone.now(), resumed_by=by[:150], resumed_reason=why[:300]
        )
    return holding


def _armed(config: Config) -> bool:
    return any(each.threshold is not None for each in config.breakers.by_name().values())


def _trip(reading: Reading, held: Target, setting: Breaker, moment: Moment) -> list[BreakerTrip]:
    """First the hold, then the record: whoever dies in between has held, and trips again."""
    until = moment.real_now + timedelta(minutes=setting.cooldown_minutes)
    by, why = rules.BY.format(reading.breaker), rules.reason(reading, setting)
    if held.scope == ORDER:
        try:
            order_controls.pause(
                int(held.key),
                by=by,
                now=moment.now,
                reason=f"{by}: {why}"[:300],
                not_before=until,
            )
        except NotAllowed:
            return []  # it has ended
    else:
        kill_switch.halt(
            scope=held.scope, key=held.key, by=by, reason=why, now=moment.now, not_before=until
        )
    trip, made = BreakerTrip.objects.get_or_create(
        breaker=reading.breaker,
        scope=held.scope,
        key=held.key,
        resumed_at_real=None,
        defaults={
            "account": reading.account,
            "measured": reading.value,
            "threshold": setting.threshold or Decimal(0),
            "words": why[:300],
            "tripped_at": moment.now,
            "tripped_at_real": moment.real_now,
            "cooldown_until_real": until,
        },
    )
    log.critical("a circuit breaker tripped", breaker=reading.breaker, holds=str(held), why=why)
    return [trip] if made else []


def _state_is_lifted(trip: BreakerTrip) -> tuple[str, str] | None:
    state = TradingState.objects.filter(scope=trip.scope, key=trip.key).first()
    if state is None or state.state == TradingState.State.HALTED:
        return None
    return state.changed_by, state.reason


def _order_goes_on(trip: BreakerTrip) -> tuple[str, str] | None:
    order = Order.objects.filter(pk=int(trip.key)).first()
    if order is None or order.status == OrderStatus.PAUSED:
        return None
    left = OrderEvent.objects.filter(
        order=order, kind=EventKind.ORDER_STATUS, data__from=OrderStatus.PAUSED
    )
    data = left.order_by("-pk").values_list("data", flat=True).first() or {}
    return str(data.get("by") or GONE_BY), str(data.get("reason", ""))


def _resumed_at(reading: Reading, held: Target, moment: Moment) -> Decimal | None:
    """What the last trip of the same subject had measured, of the same day unless of an order."""
    last = BreakerTrip.objects.filter(
        breaker=reading.breaker, scope=held.scope, key=held.key, resumed_at_real__isnull=False
    )
    if held.scope != ORDER:
        last = last.filter(tripped_at__gte=exchange_midnight(moment.now))
    return last.order_by("-pk").values_list("measured", flat=True).first()


def _resumed_lately(moment: Moment) -> readings.Resumed:
    rows = BreakerTrip.objects.filter(resumed_at_real__gte=moment.real_now - timedelta(days=1))
    return {
        (name, account): when
        for name, account, when in rows.order_by("resumed_at_real").values_list(
            "breaker", "account", "resumed_at_real"
        )
        if when is not None
    }
