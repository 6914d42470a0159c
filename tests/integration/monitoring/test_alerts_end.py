"""An alert ends with what it tells of, and is one alert while its severity changes."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models.functions import Now

from execution import context as contexts
from execution.booking import execution_reports
from execution.domain.lifecycle import SliceStatus
from execution.models import (
    BrokerAccount,
    BrokerDifference,
    BrokerLink,
    Heartbeat,
    Order,
    Slice,
    TradingState,
)
from monitoring.alerting import alerts, deliveries, process_rules, surveillance
from monitoring.alerting.alert_kinds import ABOUT, AlertKind
from monitoring.clocks import Moment
from monitoring.models import Alert, AlertDelivery, ChannelHealth
from monitoring.monitor import ExecutionMonitor
from tests.integration.monitoring.rows import (
    CONFIG,
    LIMITS,
    NOON,
    NOW,
    add_event,
    after,
    child,
    filled,
    replay,
    working,
)
from tests.integration.order_steps import claim, new_order, receive, report

pytestmark = pytest.mark.django_db


def look(**span: float) -> list[tuple[str, str, bool]]:
    """Look so long after noon, and return every alert that is stored by then."""
    moment = after(NOW, **span) if span else NOW
    surveillance.evaluate(moment=moment, config=CONFIG, limits=LIMITS, market=replay())
    rows = Alert.objects.order_by("id")
    return [(each.kind, each.severity, each.ended_at_real is None) for each in rows]


def halt(state: str) -> None:
    TradingState.objects.update_or_create(
        scope="SYSTEM", defaults={"state": state, "reason": "drill", "changed_by": "ann"}
    )


def test_a_halts_alert_ends_with_the_resume() -> None:
    halt("HALTED")
    assert look() == [("TRADING_HALTED", "CRITICAL", True)]
    halt("ACTIVE")
    assert look(seconds=2) == [("TRADING_HALTED", "CRITICAL", False)]
    alert = Alert.objects.get()
    assert alert.ended_because == "the trading state has changed"
    assert (alert.ended_at, alert.active) == (NOON + timedelta(seconds=2), False)
    assert ExecutionMonitor().get_active_alerts() == []


def test_a_halt_that_becomes_reducing_is_another_alert() -> None:
    halt("HALTED")
    look()
    halt("REDUCING")
    assert look(seconds=1) == [
        ("TRADING_HALTED", "CRITICAL", False),
        ("TRADING_HALTED", "WARNING", True),
    ]


def paused() -> Order:
    return working(status="PAUSED", status_reason="3 permanent rejects in a row")


def resumed(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(status="WORKING")
    add_event(order, "ORDER_STATUS", to="WORKING")


def test_a_pauses_alert_ends_when_the_order_goes_on() -> None:
    order = paused()
    assert look() == [("PAUSED", "WARNING", True)]
    resumed(order)
    assert look(seconds=1) == [("PAUSED", "WARNING", False)]


def test_an_unknown_outcome_ends_with_the_answer() -> None:
    order = working()
    part = child(
        order,
        status="UNKNOWN",
        quantity=100,
        claim_token="7f0c1d52-6d3e-4b55-9d68-0f9f3a0f2b11",
        sent_at=NOON,
    )
    assert look(seconds=70) == [("UNKNOWN_OUTCOME", "CRITICAL", True)]
    Slice.objects.filter(pk=part.pk).update(status="WORKING")
    add_event(order, "SLICE_STATUS", to="WORKING")
    assert look(seconds=80) == [("UNKNOWN_OUTCOME", "CRITICAL", False)]


def test_a_cancel_that_is_not_confirmed_is_told_until_it_is() -> None:
    context = contexts.default()
    order = new_order(parts=1)
    intent = claim(order.slices.get())
    assert intent is not None
    receive(intent, report(intent, SliceStatus.WORKING))
    Slice.objects.filter(order=order).update(status="CANCELLING", reason="HALTED: SYSTEM by ann")
    part = Slice.objects.get(order=order)

    def told() -> list[tuple[str, bool]]:
        moment = Moment.read()
        surveillance.evaluate(moment=moment, config=CONFIG, limits=LIMITS, market=replay())
        found = Alert.objects.filter(kind="UNKNOWN_OUTCOME").order_by("id")
        return [(each.severity, each.ended_at_real is None) for each in found]

    pending = report(intent, SliceStatus.CANCELLING)
    for _ in range(execution_reports.UNKNOWN_AFTER):
        assert told() == []
        execution_reports.book_report(part, pending, context, asked=True)
    assert told() == [("CRITICAL", True)]
    receive(intent, report(intent, SliceStatus.CANCELLED))
    assert told() == [("CRITICAL", False)]


def test_late_slices_end_when_they_are_taken() -> None:
    part = child(working(), due_at=NOON)
    assert ("LATE_SLICES", "WARNING", True) in look(seconds=15)
    Slice.objects.filter(pk=part.pk).update(status="FILLED")
    assert ("LATE_SLICES", "WARNING", False) in look(seconds=16)


def test_what_differs_from_the_broker_ends_when_it_is_gone() -> None:
    row = BrokerDifference.objects.create(
        broker="alpaca", account="main", kind="POSITION", subject="MSFT", symbol="MSFT",
        ours="0", theirs="480", words="480 more", first_seen_at_real=NOON, last_seen_at_real=NOON,
    )  # fmt: skip
    BrokerAccount.objects.create(
        broker="alpaca",
        account="main",
        failing_since_real=NOON - timedelta(minutes=11),
        problem="no answer",
    )
    assert {standing for _, _, standing in look()} == {True}
    row.gone_at_real = NOON
    row.save()
    BrokerAccount.objects.update(failing_since_real=None)
    assert {standing for _, _, standing in look(seconds=1)} == {False}


def process(**detail: object) -> None:
    Heartbeat.objects.update_or_create(
        kind="WORKER",
        process="a:1",
        defaults={"detail": detail, "started_at_real": Now(), "seen_at_real": Now()},
    )


TROUBLED = {"trouble": "Redis is full", "trouble_seconds": 3.0, "clock_ahead_seconds": 8.0}


def test_what_a_process_says_of_itself_stands_until_it_says_it_no_more() -> None:
    process(**TROUBLED)
    standing = [("PROCESS_TROUBLE", "CRITICAL", True), ("WRONG_CLOCK", "CRITICAL", True)]
    assert sorted(look()) == standing
    process(**TROUBLED | {"trouble_seconds": 4.0})
    assert sorted(look(seconds=1)) == standing
    process()
    assert {stands for _, _, stands in look(seconds=2)} == {False}
    ended = {each.kind: each.ended_because for each in Alert.objects.all()}
    assert ended == {kind: ABOUT[AlertKind(kind)].ends for kind in ended}


def test_an_outage_of_the_database_waits_for_a_person() -> None:
    found = process_rules.database_away(why="it is read-only", since=NOON, until=NOON)
    alerts.raise_all([found], moment=NOW, config=CONFIG)
    assert look(seconds=1) == [("DATABASE_AWAY", "CRITICAL", True)]
    assert look(minutes=10) == [("DATABASE_AWAY", "CRITICAL", True)]
    assert ABOUT[AlertKind.DATABASE_AWAY].remedy in Alert.objects.get().message


def costs(order: Order, price: str) -> None:
    Order.objects.filter(pk=order.pk).update(filled_notional=order.filled_quantity * Decimal(price))
    add_event(order, "FILL_CORRECTED")


def test_an_alert_that_escalates_stays_one_and_calls_again() -> None:
    order = filled("150.50")
    look()
    (alert,) = Alert.objects.all()
    alerts.acknowledge([alert.pk], by="ann", moment=NOW)
    costs(order, "151.50")
    slippage = [row for row in look(seconds=1) if row[0] == "SLIPPAGE"]
    assert slippage == [("SLIPPAGE", "CRITICAL", True)]
    alert.refresh_from_db()
    assert (alert.active, alert.acknowledged_by) == (True, ""), "ann has seen a warning"
    assert alert.data["severity_before"] == ["WARNING"]
    assert "slippage 100.0 bps" in alert.message
    assert set(alert.deliveries.values_list("event", flat=True)) == {"RAISED", "ESCALATED"}


def test_an_alert_that_calms_down_stays_one_and_calls_nobody() -> None:
    order = filled("151.50")
    look()
    costs(order, "150.50")
    assert [row for row in look(seconds=1) if row[0] == "SLIPPAGE"] == [
        ("SLIPPAGE", "WARNING", True)
    ]
    costs(order, "150.01")
    assert [row for row in look(seconds=2) if row[0] == "SLIPPAGE"] == [
        ("SLIPPAGE", "WARNING", False)
    ]
    event = AlertDelivery.objects.filter(alert__kind="SLIPPAGE").values_list("event", flat=True)
    assert sorted(event) == ["ENDED", "RAISED"]


def test_what_sways_around_its_threshold_does_not_call_each_time() -> None:
    order = filled("150.50")
    look()
    for second, price in enumerate(["150.01", "150.50"] * 3, start=1):
        costs(order, price)
        look(seconds=second)
    assert Alert.objects.filter(kind="SLIPPAGE", ended_at_real__isnull=True).count() == 1
    assert AlertDelivery.objects.filter(alert__kind="SLIPPAGE", event="RAISED").count() == 1


def test_a_look_that_began_earlier_neither_ends_nor_raises_again_what_is_newer() -> None:
    halt("HALTED")
    look(seconds=5)
    halt("ACTIVE")
    look(seconds=10)
    state = TradingState.objects.get()
    stale = surveillance.system_rules.halted(
        scope="SYSTEM",
        key="",
        state="HALTED",
        reason="drill",
        by="ann",
        since=state.changed_at_real,
    )
    assert stale is not None
    key = Alert.objects.get().dedupe_key
    late = type(stale)(kind=stale.kind, severity=stale.severity, message="halted", key=key)
    alerts.raise_all([late], moment=after(NOW, seconds=8), config=CONFIG)
    assert not Alert.objects.filter(ended_at_real__isnull=True).exists()


def test_an_order_behind_its_schedule_is_told_until_it_has_caught_up() -> None:
    order = working(filled_quantity=10, filled_notional=Decimal(1_500), quantity=100)
    for number in range(4):
        child(
            order,
            status="EXPIRED" if number < 2 else "PLANNED",
            due_at=NOON + timedelta(minutes=5 * number - 10),
            end_at=NOON + timedelta(minutes=5 * number - 5),
            planned_quantity=25,
            cumulative_quantity=25 * (number + 1),
        )
    behind = [row for row in look(seconds=6) if row[0] == "BEHIND_SCHEDULE"]
    assert behind == [("BEHIND_SCHEDULE", "CRITICAL", True)]
    assert (
        "10 shares executed where 50 were scheduled"
        in Alert.objects.get(kind="BEHIND_SCHEDULE").message
    )
    Order.objects.update(filled_quantity=48, filled_notional=Decimal(7_200))
    add_event(order, "FILL")
    behind = [row for row in look(seconds=9) if row[0] == "BEHIND_SCHEDULE"]
    assert behind == [("BEHIND_SCHEDULE", "CRITICAL", False)]


def test_an_order_that_expired_with_a_rest_is_told_with_its_cause() -> None:
    filled("150", quantity=60_000, filled_quantity=5_862, filled_notional=Decimal(879_300),
           status="EXPIRED", status_reason="54,138 of 60,000 not executed: participation cap",
           )  # fmt: skip
    assert ("INCOMPLETE", "CRITICAL", True) in look()
    message = Alert.objects.get(kind="INCOMPLETE").message
    assert "54,138 of 60,000 not executed: participation cap" in message
    assert "manage.py explain" in message


def test_the_end_of_an_alert_is_told_through_the_channels_that_told_of_it() -> None:
    halt("HALTED")
    look()
    sent: list[tuple[str, str]] = []

    class Noting:
        def send(self, alert: Alert) -> None:
            sent.append((str(alert.event), alert.text))

    deliveries.deliver_due(real_now=lambda: NOON, channels={"log": Noting()})
    halt("ACTIVE")
    look(seconds=1)
    deliveries.deliver_due(real_now=lambda: NOON + timedelta(seconds=1), channels={"log": Noting()})
    assert [event for event, _ in sent] == ["RAISED", "ENDED"]
    assert sent[1][1].startswith("ended, the trading state has changed: system is HALTED")


def test_a_refused_alert_is_told_on_the_other_channels_until_the_channel_heals() -> None:
    config = CONFIG.model_copy(update={"alert_webhook_url": "http://127.0.0.1:9/"})

    def watched(moment: Moment) -> None:
        surveillance.evaluate(moment=moment, config=config, limits=LIMITS, market=replay())

    ChannelHealth.objects.create(
        channel="webhook",
        failing_since_real=NOON,
        refused=True,
        failures=1,
        problem="HTTP 400 Bad Request: invalid_payload",
    )
    watched(NOW)
    alert = Alert.objects.get(kind="DELIVERY_FAILED")
    assert "HTTP 400 Bad Request: invalid_payload" in alert.message
    assert "manage.py test_alert" in alert.message
    assert list(alert.deliveries.values_list("channel", flat=True)) == ["log"]
    ChannelHealth.objects.update(failing_since_real=None, refused=False)
    watched(after(NOW, seconds=1))
    assert Alert.objects.get(kind="DELIVERY_FAILED").ended_at_real is not None


def test_a_lost_broker_is_told_within_five_seconds_and_so_is_its_return() -> None:
    config = CONFIG.model_copy(update={"trading_mode": "live", "live_broker": "alpaca"})
    working()
    row = BrokerLink.objects.create(
        broker="alpaca",
        address=config.alpaca_base_url,
        up=False,
        reason="no route",
        since=NOON,
        seen_at=NOON + timedelta(seconds=4),
    )

    def found(seconds: int) -> list[tuple[str, bool]]:
        moment = after(NOW, seconds=seconds)
        surveillance.evaluate(moment=moment, config=config, limits=LIMITS, market=replay())
        down = Alert.objects.filter(kind="BROKER_DOWN")
        return [(each.severity, each.ended_at_real is None) for each in down]

    assert found(4) == [("CRITICAL", True)]
    assert "since 2026-03-02 11:00:00 ET: no route" in Alert.objects.get(kind="BROKER_DOWN").message
    BrokerLink.objects.filter(pk=row.pk).update(
        up=True, reason="", seen_at=NOON + timedelta(seconds=6)
    )
    assert found(6) == [("CRITICAL", False)]
