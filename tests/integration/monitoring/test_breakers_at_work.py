"""Circuit breakers read the rows, hold by the trading states, and go on by a named person."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from deepstack.config import Config, current
from deepstack.config_breakers import Breakers
from execution.entry import order_controls
from execution.entry.order_controls import NotAllowed
from execution.models import Order, Slice, TradingState
from execution.risk import kill_switch
from monitoring.alerting import surveillance, thresholds
from monitoring.breakers import trips
from monitoring.breakers.rules import Reading
from monitoring.clocks import Moment
from monitoring.models import Alert, BreakerTrip
from tests.integration.monitoring.rows import (
    NOW,
    add_event,
    child,
    filled,
    replay,
    store_tape,
    working,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]


def config(**breakers: Mapping[str, object]) -> Config:
    return current().model_copy(update={"breakers": Breakers.model_validate(breakers)})


def evaluate(settings: Config) -> None:
    limits = thresholds.of(settings, NOW)
    surveillance.evaluate(moment=NOW, config=settings, limits=limits, market=replay())


def dear(cost_bps: int, **changes: Any) -> Any:
    """A live order half of which was bought so much above its arrival mid of 150."""
    price = Decimal(150) * (1 + Decimal(cost_bps) / 10_000)
    order = working(quantity=1_000, filled_quantity=500, filled_notional=500 * price, **changes)
    child(order)  # what is left to do
    add_event(order, "FILL")
    return order


def real() -> Moment:
    """Trading time is NOON; cool-downs and what an event's row is dated by are real time."""
    return Moment(now=NOW.now, real_now=timezone.now())


def state(scope: str, key: str) -> str:
    return TradingState.objects.get(scope=scope, key=key).state


def resume(scope: str, key: str) -> None:
    kill_switch.resume(scope=scope, key=key, by="eve", reason="cause removed", now=NOW.now)


NO_COOLDOWN = {"cooldown_minutes": 0}


def test_an_order_that_costs_too_much_is_paused_and_the_others_go_on() -> None:
    good, bad = dear(10), dear(40)
    evaluate(config(order_slippage={"threshold": 30}))
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.status, bad.status) == ("WORKING", "PAUSED")
    assert "breaker order_slippage: 40.0 bps of cost against arrival" in bad.status_reason
    order_controls.resume(bad.pk, by="eve", now=NOW.now)
    evaluate(config(order_slippage={"threshold": 30}))
    trip = BreakerTrip.objects.get()
    assert trip.resumed_by == "eve"
    bad.refresh_from_db()
    assert bad.status == "ACCEPTED", "it takes another threshold to trip again"


def test_a_paused_order_is_resumed_by_nobody_before_its_cooldown_is_over() -> None:
    bad, by_hand = dear(40), dear(50)
    order_controls.pause(by_hand.pk, by="ann", now=NOW.now)
    readings = [
        Reading("order_slippage", Decimal(40), "main", order_id=each.pk) for each in (bad, by_hand)
    ]
    trips.judge(readings, moment=real(), config=config(order_slippage={"threshold": 30}))
    for order in (bad, by_hand):
        with pytest.raises(NotAllowed, match=r"Its cool-down ends at .* ET; it cannot be resumed"):
            order_controls.resume(order.pk, by="eve", now=NOW.now)
    assert [trip.key for trip in trips.note_resumed()] == [str(bad.pk), str(by_hand.pk)]
    Order.objects.update(not_before_real=timezone.now())
    assert order_controls.resume(bad.pk, by="eve", now=NOW.now).status == "ACCEPTED"
    assert order_controls.cancel(by_hand.pk, by="eve", now=NOW.now).status == "CANCELLED"


def test_a_symbol_and_an_account_are_held_by_the_days_cost() -> None:
    dear(20, symbol="AAPL")
    dear(80, symbol="MSFT")
    evaluate(
        config(
            symbol_slippage={"threshold": 60},
            day_slippage={"threshold": 45, "least_value": 100_000},
        )
    )
    held = BreakerTrip.objects.values_list("breaker", "scope", "key", "measured")
    assert set(held) == {
        ("symbol_slippage", "SYMBOL", "MSFT", Decimal(80)),
        ("day_slippage", "ACCOUNT", "main", Decimal(50)),
    }
    assert state("SYMBOL", "MSFT") == state("ACCOUNT", "main") == "HALTED"
    assert not TradingState.objects.filter(scope="SYMBOL", key="AAPL").exists()


def test_what_is_small_is_not_judged() -> None:
    dear(500)
    evaluate(config(symbol_slippage={"threshold": 60, "least_value": 1_000_000}))
    assert not BreakerTrip.objects.exists()


def sends(count: int, refused: int = 0, **order: Any) -> None:
    own = working(**order)
    for number in range(count):
        add_event(own, "SLICE_SENDING", slice=number)
        if number < refused:
            add_event(own, "BROKER_REJECTED", slice=number)


def watch(settings: Config) -> None:
    trips.note_resumed()
    trips.watch([], moment=real(), config=settings)


def test_refusals_hold_the_account_and_are_counted_anew_after_the_resume() -> None:
    sends(10, refused=3)
    rules = config(reject_rate={"threshold": "0.3", **NO_COOLDOWN})
    watch(config(reject_rate={"threshold": "0.31"}))
    assert not BreakerTrip.objects.exists()
    watch(rules)
    assert state("ACCOUNT", "main") == "HALTED"
    resume("ACCOUNT", "main")
    watch(rules)
    assert state("ACCOUNT", "main") == "ACTIVE", "what was before the resume counts no more"
    sends(10, refused=10)
    watch(rules)
    assert state("ACCOUNT", "main") == "HALTED"


def test_a_few_refusals_of_few_children_are_not_judged() -> None:
    sends(9, refused=9)
    watch(config(reject_rate={"threshold": "0.3"}))
    assert not BreakerTrip.objects.exists()


def test_a_strategy_that_sends_too_much_is_held_alone() -> None:
    sends(5, strategy="fast")
    sends(4, strategy="calm")
    watch(config(runaway={"threshold": 5}))
    assert state("STRATEGY", "fast") == "HALTED"
    assert BreakerTrip.objects.count() == 1


def test_a_symbol_whose_quotes_stay_away_is_held() -> None:
    waiting = child(working(), status="QUEUED", reason="QUOTE_STALE: age_seconds=40")
    Slice.objects.filter(pk=waiting.pk).update(
        due_at=NOW.now - timedelta(seconds=31), end_at=NOW.now + timedelta(minutes=1)
    )
    evaluate(config(stale_data={"threshold": 32}))
    assert not BreakerTrip.objects.exists()
    evaluate(config(stale_data={"threshold": 30}))
    assert state("SYMBOL", "AAPL") == "HALTED"


def test_an_account_that_has_lost_too_much_today_is_held() -> None:
    bought = filled("150.00", account="main")  # 100 shares, and a dollar of commission
    market = store_tape("149.00")

    def lost(threshold: str) -> None:
        trips.watch_losses(
            market, moment=real(), config=config(daily_loss={"threshold": threshold})
        )

    lost("102")
    filled("150.00", symbol="NOQUOTE", account="other")
    assert not BreakerTrip.objects.exists(), "what has no price is not judged"
    lost("90")
    assert state("ACCOUNT", "main") == "HALTED"
    (trip,) = trips.open_trips()
    assert (trip.breaker, trip.key) == ("daily_loss", bought.account)
    assert 90 < trip.measured <= 102


def test_a_hold_is_one_alert_and_lasts_for_its_cooldown_until_a_person_lifts_it() -> None:
    dear(80)
    rules = config(symbol_slippage={"threshold": 60, "cooldown_minutes": 15})
    trips.watch([], moment=real(), config=rules)
    for _ in range(2):
        evaluate(rules)
    told = Alert.objects.filter(kind="BREAKER")
    assert [alert.severity for alert in told] == ["CRITICAL"]
    assert "manage.py resume_trading --symbol AAPL" in told[0].message
    with pytest.raises(ValueError, match="Its cool-down ends at"):
        resume("SYMBOL", "AAPL")
    assert state("SYMBOL", "AAPL") == "HALTED"
    TradingState.objects.update(not_before_real=NOW.real_now)
    resume("SYMBOL", "AAPL")
    evaluate(rules)
    assert BreakerTrip.objects.get().resumed_reason == "cause removed"
    assert state("SYMBOL", "AAPL") == "ACTIVE"


def test_a_persons_halt_does_not_shorten_a_cooldown() -> None:
    later = real().real_now + timedelta(minutes=5)
    scope = {"scope": "SYMBOL", "key": "AAPL", "reason": "r", "now": NOW.now}
    kill_switch.halt(**scope, by="breaker runaway", not_before=later)
    kill_switch.halt(**scope, by="eve")
    with pytest.raises(ValueError, match="cool-down"):
        kill_switch.resume(**scope, by="eve")


def test_the_drill_trips_every_breaker_and_leaves_nothing_held() -> None:
    for _ in range(2):
        out = StringIO()
        call_command("breakers", "--drill", stdout=out)
        lines = out.getvalue().splitlines()
        assert len(lines) == len(Breakers().by_name())
        assert all("and let go after a person resumed it" in line for line in lines), lines
    assert not TradingState.objects.exclude(state="ACTIVE").exists()
    assert not trips.open_trips().exists()
