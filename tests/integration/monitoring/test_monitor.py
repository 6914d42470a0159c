"""ExecutionMonitor as a script uses it, outside and inside an event loop."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from deepstack.config import ROOT
from deepstack.sync_bridge import off_loop
from execution.models import Order
from monitoring.models import Alert
from monitoring.monitor import AlertSeverity, ExecutionMonitor
from tests.integration.monitoring.rows import bought, failed, filled, working
from tests.stack import database_url, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("at_noon")]


def outside(block: Callable[[], Any]) -> Any:
    return block()


def inside(block: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return block()

    return asyncio.run(main())


everywhere = pytest.mark.parametrize("run", [outside, inside])


@everywhere
def test_guide_monitor_block(run: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    execution_result = {"order_id": bought(33).pk}

    def block() -> None:
        monitor = ExecutionMonitor(
            slippage_threshold_bps=20.0,
            vwap_deviation_threshold=0.01,
            failed_order_threshold=3,
        )

        # Monitor execution
        monitor.monitor_execution(execution_result)

        # Get alerts
        active_alerts = monitor.get_active_alerts()
        for alert in active_alerts:
            print(f"[{alert.severity}] {alert.message}")

        # Get daily summary
        summary = monitor.get_daily_summary()
        print(f"Success rate: {summary['success_rate']:.1%}")

    run(block)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("[WARNING] order ")
    assert "slippage 33.0 bps" in first
    assert last == "Success rate: 100.0%"


@everywhere
def test_guide_real_time_block(run: Callable[..., None]) -> None:
    executions = [{"order_id": bought(cost).pk} for cost in (0, 33, 66)]
    notified: list[Alert] = []
    send_notification = notified.append

    def block() -> None:
        # Create monitor
        monitor = ExecutionMonitor(
            slippage_threshold_bps=20.0,
            vwap_deviation_threshold=0.01,
        )

        # Monitor executions
        for execution in executions:
            monitor.monitor_execution(execution)

        # Get active alerts
        alerts = monitor.get_active_alerts()
        for alert in alerts:
            if alert.severity == AlertSeverity.CRITICAL:
                send_notification(alert)

    run(block)
    assert {alert.order_id for alert in notified} == {executions[2]["order_id"]}


DASHBOARD = """\
Today's Executions: 4
Success Rate: 75.0%
Active Alerts: 2
Critical Alerts: 1
"""


@everywhere
def test_guide_dashboard_block(
    run: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    monitor = ExecutionMonitor()
    for result in [bought(33), bought(0), bought(-9), failed()]:
        monitor.monitor_execution({"order_id": result.pk})
    working()

    def block() -> None:
        # Get performance dashboard
        dashboard = monitor.get_performance_dashboard()

        print(f"Today's Executions: {dashboard['today']['total_executions']}")
        print(f"Success Rate: {dashboard['today']['success_rate']:.1%}")
        print(f"Active Alerts: {dashboard['active_alerts']['total']}")
        print(f"Critical Alerts: {dashboard['active_alerts']['critical']}")

    run(block)
    assert capsys.readouterr().out == DASHBOARD


@everywhere
@pytest.mark.parametrize("executions", [0, 2])
def test_guide_quality_block(
    run: Callable[..., None], executions: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(executions):
        filled("150.00")
    monitor = ExecutionMonitor()

    def block() -> None:
        # Get quality score
        quality = monitor.get_execution_quality_score()

        print(f"Quality Score: {quality['quality_score']:.1f}/100")
        print(f"Grade: {quality['grade']}")
        print("Breakdown:")
        for component, score in quality["breakdown"].items():
            print(f"  {component}: {score:.1f}")

    run(block)
    printed = capsys.readouterr().out.splitlines()
    if executions:
        assert printed[:3] == ["Quality Score: 100.0/100", "Grade: A", "Breakdown:"]
        assert "  slippage: 100.0" in printed
    else:
        assert printed == ["Quality Score: 0.0/100", "Grade: N/A", "Breakdown:"]


SUMMARY = """\
Date: 2026-03-02
Total Executions: 2
Success Rate: 100.0%
Total Volume: 12,100 shares
Total Value: $1,815,500.00
Alerts Generated: 0
"""


@everywhere
def test_guide_summary_block(run: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    filled("150", quantity=12_000)
    filled("155", side="SELL")
    monitor = ExecutionMonitor()

    def block() -> None:
        # Get daily summary
        summary = monitor.get_daily_summary()

        print(f"Date: {summary['date']}")
        print(f"Total Executions: {summary['total_executions']}")
        print(f"Success Rate: {summary['success_rate']:.1%}")
        print(f"Total Volume: {summary['total_volume']:,} shares")
        print(f"Total Value: ${summary['total_value']:,.2f}")
        print(f"Alerts Generated: {summary['alerts_generated']}")

    run(block)
    assert capsys.readouterr().out == SUMMARY


def test_an_alert_in_a_loop_can_show_its_order() -> None:
    order = bought(33)

    def block() -> str:
        ExecutionMonitor().monitor_execution({"order_id": order.pk})
        (alert,) = ExecutionMonitor().get_active_alerts()
        assert alert.order is not None
        return alert.order.symbol

    assert inside(block) == "AAPL"


def test_an_error_reaches_the_coroutine_that_caused_it() -> None:
    with pytest.raises(LookupError, match="no such order"):
        inside(lambda: ExecutionMonitor().monitor_execution({"order_id": 10**15}))


def test_the_worker_threads_connection_is_closed() -> None:
    backends = off_loop(_backends)
    before = _backends()
    assert inside(backends) == before + 1
    wait_for(lambda: _backends() == before, 5, "the connection to be gone")


def _backends() -> int:
    Order.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_a_plain_script_needs_no_set_up() -> None:
    filled("150")
    script = (
        "from monitoring.monitor import AlertSeverity, ExecutionMonitor\n"
        "print(ExecutionMonitor().get_daily_summary('2026-03-02')['total_executions'])"
    )
    inherited = {key: value for key, value in os.environ.items() if key[:6] != "DJANGO"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**inherited, "DATABASE_URL": database_url()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("1", 0), done.stderr
