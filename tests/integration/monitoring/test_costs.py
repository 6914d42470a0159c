"""The cost analysis of stored orders against a real tape."""

from datetime import timedelta
from decimal import Decimal

import pytest

from execution.models import Bar, Order
from monitoring.clocks import Moment
from monitoring.models import CostAnalysis
from monitoring.reporting import cost_analysis, late_benchmarks
from tests.integration.monitoring.rows import (
    NOON,
    NOW,
    add_event,
    after,
    failed,
    filled,
    replay,
    store_order,
    store_tape,
)

D = Decimal
pytestmark = pytest.mark.django_db


def analysed(order: Order, moment: Moment = NOW, *, price: str = "150.00") -> CostAnalysis:
    market = replay() if Bar.objects.exists() else store_tape(price)
    cost_analysis.note_changes([order.pk], moment=moment)
    cost_analysis.compute_now(order.pk, moment=moment, market=market)
    return CostAnalysis.objects.get(order=order)


def test_a_filled_sell_below_the_market() -> None:
    cost = analysed(
        filled("149.70", side="SELL", quantity=3_000, commission="15", decision_price=D("150.10"))
    )
    assert (cost.average_price, cost.market_vwap, cost.market_twap) == (
        D("149.70"), D("150"), D("150"),
    )  # fmt: skip
    assert (cost.arrival_bps, cost.vwap_bps, cost.twap_bps) == (D(20), D(20), D(20))
    # Thirty minutes of 1,000 shares: 10 %, and twice as many minutes would be 20 % of them.
    assert (cost.market_volume, cost.participation) == (30_000, D("0.1"))
    assert (cost.pwp_price, cost.pwp_bps) == (D("150"), D(20))
    assert cost.relative_performance == 0
    assert (cost.delay, cost.trading, cost.opportunity, cost.fees) == (
        D(300), D(900), D(0), D(15),
    )  # fmt: skip
    assert cost.shortfall_bps == (D(1215) / (3_000 * D("150.10")) * 10_000).quantize(D("0.0001"))
    assert cost.reversion_bps == 0
    assert cost.due_at_real is None


def test_what_was_not_bought_costs_what_the_price_ran_away() -> None:
    order = filled(
        "150.00", quantity=40, status="EXPIRED", commission="0", finished_at=NOON,
    )  # fmt: skip
    Order.objects.filter(pk=order.pk).update(quantity=100)
    cost = analysed(order, after(NOW, minutes=6), price="151.00")
    assert (cost.delay, cost.trading, cost.opportunity) == (D(0), D(0), D(60))
    assert cost.final_price == D(151)


@pytest.mark.parametrize(
    ("changes", "silent"),
    [
        pytest.param({"decision_price": None}, {"shortfall_bps", "delay"}, id="no decision price"),
        pytest.param(
            {"decision_price": D("0.15"), "decision_within_collar": False},
            {"shortfall_bps", "delay", "trading", "opportunity", "fees"},
            id="a decision price off the market",
        ),
        pytest.param(
            {"decision_price": D("0.15"), "decision_within_collar": None},
            {"shortfall_bps", "delay"},
            id="a decision price that was never compared",
        ),
        pytest.param(
            {"arrival_bid": None},
            {"shortfall_bps", "arrival_bps", "reversion_bps"},
            id="no quote at arrival",
        ),
        pytest.param(
            {"symbol": "MSFT"},
            {"vwap_bps", "twap_bps", "participation", "relative_performance", "pwp_bps",
             "market_vwap", "market_volume", "final_price"},
            id="no tape",
        ),
    ],
)  # fmt: skip
def test_what_is_not_known_is_null(changes: dict[str, object], silent: set[str]) -> None:
    cost = analysed(filled("150.00", **changes))
    assert {name for name in silent if getattr(cost, name) is not None} == set()
    assert cost.average_price == 150


def test_an_order_with_nothing_executed_has_opportunity_cost_alone() -> None:
    cost = analysed(failed("EXPIRED"), price="151.00")
    assert (cost.average_price, cost.arrival_bps, cost.vwap_bps) == (None, None, None)
    assert (cost.market_vwap, cost.opportunity) == (D(151), D(100))


def test_a_denied_order_is_not_analysed() -> None:
    order = failed("DENIED", finished_at=None)
    cost_analysis.note_changes([order.pk], moment=NOW)
    assert not CostAnalysis.objects.exists()


def test_figures_are_completed_once_the_minutes_after_the_end_are_over() -> None:
    order = filled("150.00", finished_at=NOON, end_at=NOON)
    first = analysed(order)
    assert first.reversion_bps is None
    assert first.due_at_real == NOON + timedelta(minutes=6)
    assert analysed(order, after(NOW, minutes=5)).computed_at_real == NOON
    last = analysed(order, after(NOW, minutes=6))
    assert (last.reversion_bps, last.due_at_real) == (D(0), None)


def test_a_late_commission_changes_the_analysis() -> None:
    order = filled("150.00")
    assert analysed(order).fees == 1
    assert analysed(order, after(NOW, minutes=1)).computed_at_real == NOON
    Order.objects.filter(pk=order.pk).update(commission=D("2.50"))
    add_event(order, "COMMISSION")
    assert analysed(order, after(NOW, minutes=1)).fees == D("2.50")


def test_of_two_processes_one_computes() -> None:
    market = store_tape("150.00")
    order = filled("150.00")
    cost_analysis.note_changes([order.pk], moment=NOW)
    seen_by_both = CostAnalysis.objects.select_related("order").get()
    assert cost_analysis.compute_due(moment=NOW, market=market) == [order.pk]
    assert not cost_analysis._claim(seen_by_both, NOW)


def test_the_window_of_a_cancelled_order_ends_with_it() -> None:
    order = store_order(status="CANCELLED", finished_at=NOON - timedelta(minutes=25))
    window = cost_analysis.Window.of(order, NOON)
    assert (window.start, window.end) == (order.start_at, order.finished_at)


def test_it_stops_in_time_for_the_thread_to_send_slices() -> None:
    market = store_tape("150.00")
    orders = [filled("150.00").pk for _ in range(5)]
    cost_analysis.note_changes(orders, moment=NOW)
    watch = iter([0.0, 0.5, 1.0, 1.6])
    done = cost_analysis.compute_due(moment=NOW, market=market, stopwatch=lambda: next(watch))
    assert len(done) == 2
    assert sorted([*done, *cost_analysis.compute_due(moment=NOW, market=market)]) == orders


def quoted(order: Order, bid: str, ask: str) -> None:
    order.slices.update(explanation={"quote": {"bid": bid, "ask": ask}})


def test_what_an_order_kept_of_the_spread() -> None:
    order = filled("150.00")
    assert analysed(order).spread_capture is None
    quoted(order, "149.98", "150.02")
    add_event(order, "COMMISSION")
    assert analysed(order, after(NOW, minutes=1)).spread_capture == D("0.5")


@pytest.mark.parametrize(
    ("minute", "traded"),
    [pytest.param(0, 30_000, id="at a full minute"), pytest.param(0.25, 29_750, id="within one")],
)
def test_of_the_minute_of_arrival_only_what_came_after_it_counts(
    minute: float, traded: int
) -> None:
    start = NOON - timedelta(minutes=40 - minute)
    assert analysed(filled("150.00", start_at=start)).market_volume == traded


def test_the_close_and_a_late_price_come_when_the_day_is_over() -> None:
    """It ended at 10:50 in New York; the tape of that day is cut off at 11:10, its opening bar was
    at 9:30."""
    market = store_tape("150.00", minutes=90)
    closing = NOON + timedelta(hours=5) - timedelta(minutes=1)
    Bar.objects.create(
        symbol="AAPL", start_at=closing, open=D(151), high=D(151), low=D(151), close=D(151),
        volume=100, vwap=D(151),
    )  # fmt: skip
    order = filled("150.00")
    cost = analysed(order, after(NOW, minutes=10))
    assert (cost.open_bps, cost.close_bps, cost.final) == (D(0), None, True)
    assert cost.late_due_at_real == NOON + timedelta(hours=5, minutes=1)

    late_benchmarks.complete(moment=after(NOW, hours=5), market=market)
    cost.refresh_from_db()
    assert cost.close_bps is None
    late_benchmarks.complete(moment=after(NOW, hours=5, minutes=1), market=market)
    cost.refresh_from_db()
    assert cost.close_bps == (D(-1) / 151 * 10_000).quantize(D("0.0001"))
    assert cost.late_reversion_bps == 0
    assert cost.late_due_at_real is None
