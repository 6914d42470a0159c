"""The look of every few seconds: what becomes an alert, and that it becomes one only once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from execution.models import BrokerAccount, BrokerDifference, TradingState
from monitoring.models import Alert, CostAnalysis
from tests.integration.monitoring.looks import Silent, look
from tests.integration.monitoring.rows import (
    NOON,
    NOW,
    add_event,
    after,
    child,
    failed,
    filled,
    store_tape,
    working,
)

pytestmark = pytest.mark.django_db


def test_quiet_orders_raise_nothing() -> None:
    filled("150.01")
    working()
    assert look() == []


def test_a_costly_order_is_one_alert_however_often_it_is_seen() -> None:
    order = filled("150.50")
    assert look() == [("SLIPPAGE", "WARNING")]
    assert look(after(NOW, seconds=2)) == [("SLIPPAGE", "WARNING")]
    add_event(order, "COMMISSION")
    assert look(after(NOW, minutes=9)) == [("SLIPPAGE", "WARNING")]
    alert = Alert.objects.get()
    assert (alert.order_id, alert.account, alert.raised_at) == (order.pk, "main", NOON)
    assert alert.data["slippage_bps"] == "33.3333"


def test_an_order_that_cannot_be_judged_keeps_no_other_from_its_alert() -> None:
    odd, *others = [filled("150.50") for _ in range(5)]
    look()
    standing = Alert.objects.filter(order=odd)
    standing.update(dedupe_key="of an earlier release", data={"threshold_bps": "twenty"})
    Alert.objects.exclude(order=odd).delete()
    for order in (odd, *others):
        add_event(order, "COMMISSION")
    look(after(NOW, minutes=9))
    assert set(Alert.objects.values_list("order", flat=True)) >= {order.pk for order in others}


def test_an_acknowledged_alert_does_not_come_back() -> None:
    order = filled("150.50")
    look()
    Alert.objects.update(acknowledged_by="ann", acknowledged_at_real=NOON)
    add_event(order, "COMMISSION")
    look(after(NOW, minutes=5))
    assert Alert.objects.get().acknowledged_by == "ann"


def test_failures_are_counted_by_account_strategy_and_exchange_date() -> None:
    for _ in range(2):
        failed()
    failed("EXPIRED", strategy="other")
    failed("DENIED", account="second", finished_at=None)
    # 23:00 of the evening before, in New York.
    failed(finished_at=NOON - timedelta(hours=12), start_at=NOON - timedelta(hours=13))
    look()
    assert not Alert.objects.filter(kind="FAILED_ORDERS").exists()
    failed("DENIED", finished_at=None)
    assert look().count(("FAILED_ORDERS", "WARNING")) == 1
    for _ in range(3):
        failed()
    found = [severity for kind, severity in look() if kind == "FAILED_ORDERS"]
    assert found == ["CRITICAL"], "one alert, which has escalated"


def test_an_overfilled_order_is_critical() -> None:
    filled("150", quantity=100, filled_quantity=120, status="OVERFILLED")
    assert ("OVERFILLED", "CRITICAL") in look()


def test_the_clock_alone_makes_a_live_order_late() -> None:
    working(end_at=NOON + timedelta(minutes=1))
    assert look() == []
    # Long after the order's events have been read and settled.
    assert look(after(NOW, minutes=2)) == [("SLOW_EXECUTION", "WARNING")]


def test_a_lasting_unknown_outcome_is_critical() -> None:
    order = working()
    child(
        order,
        status="UNKNOWN",
        quantity=100,
        claim_token="7f0c1d52-6d3e-4b55-9d68-0f9f3a0f2b11",
        sent_at=NOON,
    )
    assert look(after(NOW, seconds=50)) == []
    assert look(after(NOW, seconds=70)) == [("UNKNOWN_OUTCOME", "CRITICAL")]


def test_slices_that_nobody_takes_are_told_once() -> None:
    for _ in range(3):
        child(working(), due_at=NOON)
    child(working(status="PAUSED"), due_at=NOON - timedelta(minutes=5))
    assert ("LATE_SLICES", "WARNING") not in look(after(NOW, seconds=10))
    late = [kind for kind in look(after(NOW, seconds=15)) if kind[0] == "LATE_SLICES"]
    assert late == [("LATE_SLICES", "WARNING")]
    assert "3 slices are due" in Alert.objects.get(kind="LATE_SLICES").message
    assert look(after(NOW, seconds=25)).count(("LATE_SLICES", "CRITICAL")) == 1
    assert look(after(NOW, minutes=5)).count(("LATE_SLICES", "CRITICAL")) == 1


def test_slices_that_a_halt_holds_are_not_called_late_nor_at_its_end() -> None:
    order = working(end_at=NOON + timedelta(hours=5))
    child(order, due_at=NOON, reason="TRADING_HALTED: scope=SYSTEM, state=HALTED")
    state = TradingState.objects.create(
        scope="SYSTEM", state="HALTED", reason="drill", changed_by="ann"
    )
    assert look(after(NOW, hours=1)) == [("TRADING_HALTED", "CRITICAL")]
    TradingState.objects.filter(pk=state.pk).update(
        state="ACTIVE", changed_at_real=after(NOW, hours=1).real_now
    )
    late = ("LATE_SLICES", "CRITICAL")
    assert late not in look(after(NOW, hours=1, seconds=5))
    assert late in look(after(NOW, hours=1, seconds=15))


def test_each_pause_is_one_alert() -> None:
    order = working(status="PAUSED", status_reason="3 permanent rejects in a row")
    assert look() == look() == [("PAUSED", "WARNING")]
    add_event(order, "ORDER_STATUS", to="WORKING")
    add_event(order, "ORDER_STATUS", to="PAUSED")
    assert look() == look() == [("PAUSED", "WARNING")] * 2


def test_each_halt_is_one_alert() -> None:
    state = TradingState.objects.create(
        scope="SYSTEM", state="HALTED", reason="drill", changed_by="ann"
    )
    assert look() == [("TRADING_HALTED", "CRITICAL")]
    assert look() == [("TRADING_HALTED", "CRITICAL")]
    state.state = "ACTIVE"
    state.save()
    assert len(look()) == 1
    state.state = "HALTED"
    state.save()
    assert len(look()) == 2


def test_what_differs_from_the_broker_is_one_alert_for_as_long_as_it_lasts() -> None:
    row = BrokerDifference(
        broker="alpaca", account="main", kind="EXTERNAL_ORDER", subject="b-1", symbol="MSFT",
        ours="none", theirs="SELL 30 MSFT", words="SELL 30 MSFT is not ours",
        first_seen_at_real=NOON, last_seen_at_real=NOON,
    )  # fmt: skip
    row.save()
    assert look() == [("EXTERNAL_ORDER", "WARNING")]
    assert look(after(NOW, minutes=1)) == [("EXTERNAL_ORDER", "WARNING")]
    row.gone_at_real = NOON
    row.save()
    row.pk, row.gone_at_real = None, None
    row.save()
    assert len(look(after(NOW, minutes=2))) == 2, "it came back"


def test_an_account_that_cannot_be_compared_is_told_after_a_while() -> None:
    BrokerAccount.objects.create(
        broker="alpaca", account="main", failing_since_real=NOON, problem="no answer"
    )
    assert look(after(NOW, minutes=9)) == []
    assert look(after(NOW, minutes=11)) == [("NOT_COMPARED", "WARNING")]


def test_orders_that_wait_for_a_comparison_are_told_within_seconds() -> None:
    BrokerAccount.objects.create(
        broker="alpaca", account="main", failing_since_real=NOON, problem="HTTP 500"
    )
    order = working(account="main", end_at=NOON + timedelta(hours=5))
    assert look(after(NOW, seconds=9)) == []
    assert look(after(NOW, seconds=11)) == [("NOT_COMPARED", "CRITICAL")]
    order.status, order.finished_at = "EXPIRED", NOON + timedelta(seconds=20)
    order.save()
    look(after(NOW, seconds=30))
    told = Alert.objects.get(kind="NOT_COMPARED")
    assert told.ended_at_real is None, "the order's end compares nothing"
    BrokerAccount.objects.update(failing_since_real=None, problem="")
    look(after(NOW, seconds=31))
    told.refresh_from_db()
    assert told.ended_at_real is not None


def test_deviation_from_the_markets_vwap_comes_with_the_cost_analysis() -> None:
    filled("150.00", arrival_bid=None, arrival_ask=None)
    assert look(market=store_tape("148.00")) == [("VWAP_DEVIATION", "WARNING")]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        # 1.35 % away from the market's 148.
        pytest.param(
            {"routing": {"typical_vwap_deviation_bps": 50.0}}, [], id="usual of the symbol"
        ),
        pytest.param(
            {"routing": {"typical_vwap_deviation_bps": 10.0}},
            [("VWAP_DEVIATION", "CRITICAL")],
            id="thirteen times what is usual",
        ),
        pytest.param({"parameters": {"vwap_deviation_threshold": 0.02}}, [], id="the order's own"),
    ],
)
def test_deviation_is_judged_by_what_is_known_of_the_order(
    changes: dict[str, object], found: list[tuple[str, str]]
) -> None:
    filled("150.00", arrival_bid=None, arrival_ask=None, **changes)
    assert look(market=store_tape("148.00")) == found


def test_deviation_of_a_live_order_is_seen_on_the_way() -> None:
    tape = store_tape("148.00")
    order = working(filled_quantity=50, filled_notional=Decimal("7500"))
    assert look(market=tape) == [("VWAP_DEVIATION", "WARNING")]
    cost = order.cost
    assert (cost.market_vwap, cost.average_price) == (Decimal(148), Decimal(150))


def test_a_live_order_is_analysed_once_a_minute_at_most() -> None:
    tape = store_tape("150.00")
    order = working(filled_quantity=50, filled_notional=Decimal("7500"))
    times = set()
    for second in range(0, 100, 5):
        add_event(order, "FILL")
        look(after(NOW, seconds=second), tape)
        times.add(CostAnalysis.objects.get().computed_at_real)
    assert sorted(times) == [NOON, NOON + timedelta(seconds=60)]


@pytest.mark.parametrize(
    ("kind", "data", "severity", "said"),
    [
        (
            "FILL_CONFLICT",
            {"execution_id": "e1", "revision": 0, "quantity": 9, "price": "1.5", "slice": 0},
            "CRITICAL",
            "execution e1 was reported again as 9 @ 1.5; compare the two",
        ),
        (
            "FILL_CORRECTED",
            {"execution_id": "e1", "revision": 1, "quantity": 9, "price": "1.5", "slice": 0},
            "WARNING",
            "corrected execution e1 to 9 @ 1.5",
        ),
        (
            "FILL_CORRECTED",
            {"execution_id": "e1", "revision": 2, "quantity": 0, "price": "1.5", "slice": 0},
            "WARNING",
            "the broker took back execution e1, at 1.5, whole",
        ),
        (
            "LATE_FILL",
            {"execution_id": "e2", "revision": 0, "quantity": 9, "price": "1.5", "slice": 3},
            "WARNING",
            "9 @ 1.5 executed after slice 3 had ended",
        ),
        ("MISSING_AT_BROKER", {"slice": 3}, "CRITICAL", "does not know slice 3 any more"),
        ("MISSING_AT_BROKER", {}, "CRITICAL", "slice ?"),
    ],
)
def test_events_that_a_person_should_hear_of(
    kind: str, data: dict[str, object], severity: str, said: str
) -> None:
    order = working()
    for _ in range(3):
        add_event(order, kind, **data)
    assert look() == [(kind, severity)]
    alert = Alert.objects.get()
    assert alert.message.startswith(f"order {order.pk} BUY 100 AAPL TWAP: ")
    assert said in alert.message


def test_no_market_data_no_deviation() -> None:
    filled("150.00")
    assert look() == []


def test_a_silent_source_does_not_hold_up_other_alerts() -> None:
    filled("150.50")
    assert look(market=Silent()) == [("SLIPPAGE", "WARNING")]
    # Needed again a minute later, when it answers.
    assert ("VWAP_DEVIATION", "WARNING") in look(after(NOW, seconds=61), store_tape("148.00"))
