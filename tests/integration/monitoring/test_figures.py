"""What the monitor finds in stored orders, and the figures it makes of them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from monitoring.models import Alert
from monitoring.monitor import AlertSeverity, ExecutionMonitor
from tests.integration.monitoring.rows import NOON, bought, failed, filled

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]


def test_monitoring_twice_stores_once() -> None:
    monitor = ExecutionMonitor()
    result = {"order_id": bought(33).pk}
    first, second = monitor.monitor_execution(result), monitor.monitor_execution(result)
    assert [alert.pk for alert in first] == [alert.pk for alert in second]
    assert Alert.objects.count() == 1


def test_the_row_is_believed_and_not_the_mapping() -> None:
    result = {"order_id": bought(0).pk, "actual_slippage_bps": 900.0, "status": "REJECTED"}
    assert ExecutionMonitor().monitor_execution(result) == []


@pytest.mark.parametrize("threshold", [32.0, 34.0])
def test_own_thresholds(threshold: float) -> None:
    found = ExecutionMonitor(slippage_threshold_bps=threshold).monitor_execution(
        {"order_id": bought(33).pk}
    )
    assert [alert.kind for alert in found] == (["SLIPPAGE"] if threshold == 32.0 else [])


def test_failures_reach_the_own_threshold() -> None:
    monitor = ExecutionMonitor(failed_order_threshold=2)
    kinds = [
        {alert.kind for alert in monitor.monitor_execution({"order_id": failed().pk})}
        for _ in range(2)
    ]
    assert kinds == [{"INCOMPLETE"}, {"INCOMPLETE", "FAILED_ORDERS"}]


def test_alerts_by_severity_and_account() -> None:
    monitor = ExecutionMonitor()
    for order in (bought(33), bought(66), bought(66, account="second")):
        monitor.monitor_execution({"order_id": order.pk})
    assert len(monitor.get_active_alerts()) == 3
    assert len(monitor.get_active_alerts("CRITICAL")) == 2
    assert len(monitor.get_active_alerts(AlertSeverity.WARNING)) == 1
    assert len(ExecutionMonitor(account="second").get_active_alerts()) == 1


def test_figures_of_a_day_are_those_of_its_orders() -> None:
    filled("150.30", quantity=100, estimated_slippage_bps=10.0)
    filled("149.85", quantity=300, side="SELL", algorithm="VWAP", estimated_slippage_bps=2.0)
    filled("150", finished_at=NOON - timedelta(days=1))
    failed("EXPIRED")
    summary = ExecutionMonitor().get_daily_summary()
    assert summary["total_executions"] == 3
    assert summary["success_rate"] == pytest.approx(2 / 3)
    assert (summary["filled_orders"], summary["failed_orders"]) == (2, 1)
    assert (summary["total_volume"], summary["total_value"]) == (400, Decimal("59985"))
    assert type(summary["total_volume"]) is int
    assert summary["fill_rate"] == pytest.approx(0.8)
    # (100 * 0.30 + 300 * 0.15) / (400 * 150): ratio of sums, + = cost on both sides.
    assert summary["slippage_bps"] == Decimal("12.5")
    assert summary["estimated_slippage_bps"] == Decimal("4")
    assert set(summary["by_algorithm"]) == {"TWAP", "VWAP"}
    assert summary["by_algorithm"]["VWAP"]["slippage_bps"] == Decimal("10")


def test_other_days_by_date_or_text() -> None:
    filled("150", finished_at=NOON - timedelta(days=1))
    monitor = ExecutionMonitor()
    yesterday = (NOON - timedelta(days=1)).date()
    assert monitor.get_daily_summary(yesterday)["total_executions"] == 1
    assert monitor.get_daily_summary("2026-03-01")["total_executions"] == 1
    empty = monitor.get_daily_summary("2020-01-01")
    assert (empty["total_executions"], empty["success_rate"]) == (0, 0.0)
    assert (empty["total_volume"], empty["total_value"]) == (0, 0)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: ExecutionMonitor(slippage_threshold_bps=0), ValueError, "slippage_threshold_bps"),
        (
            lambda: ExecutionMonitor(vwap_deviation_threshold=float("nan")),
            ValueError,
            "vwap_deviation_threshold.*nan",
        ),
        (
            lambda: ExecutionMonitor(failed_order_threshold=2.5),  # type: ignore[arg-type]
            ValueError,
            "failed_order_threshold.*2.5",
        ),
        (lambda: ExecutionMonitor().monitor_execution({}), ValueError, "order_id.*None"),
        (
            lambda: ExecutionMonitor().monitor_execution({"order_id": "x"}),
            ValueError,
            "order_id.*'x'",
        ),
        (
            lambda: ExecutionMonitor().monitor_execution({"order_id": 10**15}),
            LookupError,
            "no such order",
        ),
        (lambda: ExecutionMonitor().get_daily_summary("today"), ValueError, "date.*'today'"),
        (lambda: ExecutionMonitor().get_daily_summary(NOON), ValueError, "date: must be a day"),
        (lambda: ExecutionMonitor().get_execution_quality_score(NOON), ValueError, "must be a day"),
        (
            lambda: ExecutionMonitor().get_active_alerts("LOUD"),
            ValueError,
            "INFO, WARNING, CRITICAL",
        ),
    ],
)
def test_bad_input_is_named(call: Callable[[], object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()
    assert not Alert.objects.exists()
