"""The deployment guide's examples, as printed but for the names of the modules: the check that an
installation works. They run on real PostgreSQL, Redis and worker processes, in a simulated market
whose clock runs 240 times as fast as real time: an hour takes fifteen seconds, and a slice of five
minutes more than one, as much as a busy machine may be late.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from deepstack.config import Config
from execution.broker.order_manager import OrderManager
from execution.broker.paper_trader import PaperTrader
from execution.market import clock
from execution.market.calendar import NEW_YORK
from execution.models import MarketClock, Order
from execution.router import ExecutionRouter
from execution.slippage import SlippageModel
from execution.twap import TWAPExecutor
from execution.vwap import VWAPExecutor
from monitoring.monitor import AlertSeverity, ExecutionMonitor
from tests.stack import SessionStacks

SPEED = 240.0
# A day's summary counts the orders of one day: it must not end while they are worked.
EARLY = datetime(2026, 1, 6, 1, tzinfo=NEW_YORK)
Results = dict[str, Any]

config = Config.from_env()


@pytest.fixture(scope="module")
def running(session_stacks: SessionStacks, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        stack = session_stacks.alone()
        clock.start_clock(EARLY, SPEED)
        stack.team()
        yield
        session_stacks.end()
        MarketClock.objects.all().delete()
        clock.forget()


async def quick_start() -> Any:
    # Setup
    config = Config.from_env()
    paper_trader = PaperTrader(config=config)
    order_manager = OrderManager(config=config, paper_trader=paper_trader)

    # Create router
    router = ExecutionRouter(order_manager=order_manager)

    # Create monitor
    monitor = ExecutionMonitor()

    # Execute order
    result = await router.route_order(
        symbol="AAPL",
        quantity=1000,
        action="BUY",
        current_price=150.0,
        urgency="NORMAL",
        avg_daily_volume=100_000_000,
    )

    # Monitor execution
    monitor.monitor_execution(result)

    # Check results
    print(f"Execution type: {result['execution_type']}")
    print(f"Average price: ${result['avg_price']:.2f}")
    print(f"Status: {result['status']}")
    return result


async def twap_component() -> Any:
    paper_trader = PaperTrader(config=config)
    order_manager = OrderManager(config=config, paper_trader=paper_trader)
    twap = TWAPExecutor(
        order_manager=order_manager,
        default_time_window=60,  # 60 minutes
        default_num_slices=10,  # 10 slices
    )

    return await twap.execute(
        symbol="AAPL",
        total_quantity=1000,
        action="BUY",
        time_window_minutes=60,
        num_slices=10,
    )


async def vwap_component() -> Any:
    order_manager = OrderManager(config=config)
    vwap = VWAPExecutor(
        order_manager=order_manager,
        vwap_deviation_threshold=0.01,  # 1% deviation alert
    )

    return await vwap.execute(
        symbol="AAPL",
        total_quantity=5000,
        action="BUY",
        time_window_minutes=120,  # 2 hours
    )


async def router_component() -> Any:
    order_manager = OrderManager(config=config)
    router = ExecutionRouter(
        order_manager=order_manager,
        small_order_threshold=10_000,
        large_order_threshold=100_000,
    )

    return await router.route_order(
        symbol="AAPL",
        quantity=1000,
        action="BUY",
        current_price=150.0,
        urgency="NORMAL",
        avg_daily_volume=100_000_000,
    )


async def small_urgent_order() -> Any:
    router = ExecutionRouter(order_manager=OrderManager(config=config))
    # $5k order, needs immediate execution
    return await router.route_order(
        symbol="AAPL",
        quantity=33,
        action="BUY",
        current_price=150.0,
        urgency="IMMEDIATE",
    )


async def medium_patient_order() -> Any:
    router = ExecutionRouter(order_manager=OrderManager(config=config))
    # $50k order, normal urgency
    return await router.route_order(
        symbol="MSFT",
        quantity=150,
        action="BUY",
        current_price=330.0,
        urgency="NORMAL",
    )


async def large_institutional_order() -> Any:
    router = ExecutionRouter(order_manager=OrderManager(config=config))
    # $500k order, minimize impact
    return await router.route_order(
        symbol="GOOGL",
        quantity=4000,
        action="BUY",
        current_price=125.0,
        urgency="NORMAL",
        avg_daily_volume=20_000_000,
    )


BLOCKS: list[Callable[[], Coroutine[Any, Any, Any]]] = [
    quick_start,
    twap_component,
    vwap_component,
    router_component,
    small_urgent_order,
    medium_patient_order,
    large_institutional_order,
]


@pytest.fixture(scope="module")
def results(running: None) -> Results:
    """Every block's result; they wait for their windows side by side."""

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(block() for block in BLOCKS))

    return dict(zip((b.__name__ for b in BLOCKS), asyncio.run(all_at_once()), strict=True))


@pytest.mark.parametrize(
    ("block", "execution_type", "minutes", "slices"),
    [
        ("quick_start", "VWAP", 120, 24),
        ("twap_component", "TWAP", 60, 10),
        ("vwap_component", "VWAP", 120, 24),
        ("router_component", "VWAP", 120, 24),
        # A minute in real time: urgency is not a matter of the market's pace.
        ("small_urgent_order", "MARKET", int(SPEED), 1),
        ("medium_patient_order", "TWAP", 60, 10),
        ("large_institutional_order", "VWAP", 120, 24),
    ],
)
def test_each_example_is_routed_as_the_guide_says_and_filled(
    results: Results, block: str, execution_type: str, minutes: int, slices: int
) -> None:
    result = results[block]
    order = Order.objects.get(pk=result["order_id"])
    assert result["execution_type"] == execution_type
    assert order.end_at - order.start_at == timedelta(minutes=minutes)
    assert order.slices.count() == slices
    assert result["status"] == "FILLED"
    assert result["filled_quantity"] == order.quantity == sum(f.quantity for f in order.fills.all())


def test_results_compare_the_cost_with_its_estimate(results: Results) -> None:
    for result in results.values():
        assert result["estimated_slippage_bps"] > 0
        cost = (result["avg_price"] / result["arrival_price"] - 1) * 10_000
        assert result["actual_slippage_bps"] == pytest.approx(float(cost), abs=0.01)


def test_slippage_is_estimated_before_an_order() -> None:
    slippage = SlippageModel(
        base_spread_bps=5.0,
        impact_coefficient=0.1,
    )

    estimate = slippage.estimate_slippage(
        symbol="AAPL",
        quantity=1000,
        action="BUY",
        current_price=150.0,
        avg_daily_volume=100_000_000,
    )

    print(f"Expected slippage: {estimate.slippage_bps:.2f} bps")
    print(f"Slippage cost: ${estimate.slippage_dollars:.2f}")
    assert estimate.slippage_bps == pytest.approx(2.5 + 3.1623, abs=1e-4)
    assert estimate.slippage_dollars == pytest.approx(84.93, abs=0.01)


def test_a_monitor_watches_and_summarises(results: Results, capsys: Any) -> None:
    execution_result = results["large_institutional_order"]
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

    print(f"Date: {summary['date']}")
    print(f"Total Executions: {summary['total_executions']}")
    print(f"Success Rate: {summary['success_rate']:.1%}")
    print(f"Total Volume: {summary['total_volume']:,} shares")
    print(f"Total Value: ${summary['total_value']:,.2f}")
    print(f"Alerts Generated: {summary['alerts_generated']}")
    assert summary["total_executions"] >= len(BLOCKS)
    assert summary["success_rate"] == 1
    assert summary["total_volume"] >= 4000 + 5000 + 3 * 1000 + 150 + 33


def test_alerts_are_watched_in_real_time(results: Results) -> None:
    executions = results.values()
    notified = []
    send_notification = notified.append
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
    critical = monitor.get_performance_dashboard()["active_alerts"]["critical"]
    assert len(notified) == critical


def test_a_strict_threshold_raises_an_alert(running: None) -> None:
    async def both_sides() -> list[Any]:
        """Whichever way the price moves, one side of a pair pays for it. Each side trades for an
        account of its own: within one they could trade with each other, and would be denied."""
        router = ExecutionRouter(order_manager=OrderManager(config=config))
        return await asyncio.gather(
            *(
                router.route_order("AAPL", 10, side, urgency="IMMEDIATE", account=account)
                for side, account in [("BUY", "buyer"), ("SELL", "seller")] * 3
            )
        )

    executions = asyncio.run(both_sides())
    monitor = ExecutionMonitor(slippage_threshold_bps=0.0001)
    for execution in executions:
        monitor.monitor_execution(execution)
    costly = {r["order_id"] for r in executions if r["actual_slippage_bps"] > 0.001}
    assert costly
    assert costly <= {alert.order_id for alert in monitor.get_active_alerts()}


def test_the_dashboard_shows_today(results: Results) -> None:
    monitor = ExecutionMonitor()
    # Get performance dashboard
    dashboard = monitor.get_performance_dashboard()

    print(f"Today's Executions: {dashboard['today']['total_executions']}")
    print(f"Success Rate: {dashboard['today']['success_rate']:.1%}")
    print(f"Active Alerts: {dashboard['active_alerts']['total']}")
    print(f"Critical Alerts: {dashboard['active_alerts']['critical']}")
    assert dashboard["today"]["total_executions"] >= len(BLOCKS)
    assert dashboard["today"]["success_rate"] == 1


def test_quality_is_scored_and_broken_down(results: Results) -> None:
    monitor = ExecutionMonitor()
    # Get quality score
    quality = monitor.get_execution_quality_score()

    print(f"Quality Score: {quality['quality_score']:.1f}/100")
    print(f"Grade: {quality['grade']}")
    print("Breakdown:")
    for component, score in quality["breakdown"].items():
        print(f"  {component}: {score:.1f}")
    assert 0 < quality["quality_score"] <= 100
    assert quality["breakdown"]
