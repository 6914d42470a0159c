"""The cost report from stored orders: what PostgreSQL sums is what the orders say."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import pytest

from execution.models import Order
from execution.orders.results import arrival_price
from monitoring.cost_report import figures, report
from monitoring.cost_report.estimates import Sums
from monitoring.cost_report.groups import Group
from monitoring.cost_report.period import Period
from monitoring.models import CostAnalysis, DayCosts
from monitoring.reporting import cost_analysis, daily_summaries
from tests.integration.monitoring.rows import (
    LIMITS,
    NOON,
    NOW,
    after,
    failed,
    filled,
    replay,
    store_tape,
    working,
)

D = Decimal
pytestmark = pytest.mark.django_db
TODAY = NOON.date()
WEEK = Period(TODAY - timedelta(days=6), TODAY)


def analyse(orders: Sequence[Order]) -> None:
    market = replay() if CostAnalysis.objects.exists() else store_tape("150.00")
    cost_analysis.note_changes([order.pk for order in orders], moment=NOW)
    for order in orders:
        cost_analysis.compute_now(order.pk, moment=NOW, market=market)


def a_week() -> list[Order]:
    """Two orders on each of four days, bought and sold by two strategies at rising prices."""
    sides, days = ("BUY", "SELL"), range(4)
    orders = [
        filled(
            f"{150 + (number + 1) / 50:.2f}",
            quantity=100 + 10 * number,
            side=side,
            strategy=f"s{number % 3}",
            symbol="AAPL",
            algorithm=("TWAP", "VWAP")[number % 2],
            decision_price=D("149.95"),
            start_at=NOON - timedelta(days=day, minutes=40),
            end_at=NOON - timedelta(days=day, minutes=10),
            finished_at=NOON - timedelta(days=day, minutes=10),
        )
        for number, (day, side) in enumerate(product(days, sides))
    ]
    analyse(orders)
    # The tape is of the last day alone.
    CostAnalysis.objects.update(
        market_vwap=D("150.05"),
        market_volume=30_000,
        close_bps=D("2.5"),
        spread_capture=D("0.4"),
    )
    return orders


def sums_of(orders: Sequence[Order]) -> Mapping[str, Sums]:
    """Computed of each order on its own, without SQL."""
    pairs: dict[str, list[tuple[Decimal, Decimal]]] = {"arrival": [], "vwap": [], "shortfall": []}
    for order in orders:
        cost = CostAnalysis.objects.get(order=order)
        for name, price in (("arrival", arrival_price(order)), ("vwap", cost.market_vwap)):
            assert price is not None
            basis = order.filled_quantity * price
            pairs[name].append((order.side_sign * (order.filled_notional - basis), basis))
        parts = (cost.delay, cost.trading, cost.opportunity, cost.fees)
        assert order.decision_price is not None
        total = sum((part or D(0) for part in parts), D(0))
        pairs["shortfall"].append((total, order.quantity * order.decision_price))
    return {name: Sums.of(each) for name, each in pairs.items()}


def alike(found: Group, orders: Sequence[Order]) -> None:
    assert found.orders == len(orders)
    for name, wanted in sums_of(orders).items():
        sums = found.of(name)
        assert (sums.orders, sums.cost, sums.basis) == (wanted.orders, wanted.cost, wanted.basis)
        assert (sums.half_width is None) == (wanted.half_width is None)
        assert (sums.half_width or 0.0) == pytest.approx(wanted.half_width or 0.0, rel=1e-6)


def rounded(name: str, group: Group) -> Mapping[str, object]:
    """Squares are sums of floats, which depend on the order of adding in their last digits."""
    plain = group.as_json()
    for sums in plain["sums"].values():
        sums[3:] = [f"{square:.6g}" for square in sums[3:]]
    return {"name": name, **plain}


@pytest.mark.parametrize("stored", [False, True], ids=["from the orders", "from stored days"])
@pytest.mark.parametrize(
    "by", ["symbol", "strategy", "algorithm", "broker", "side", "day", "symbol-algorithm"]
)
def test_the_groups_are_the_sums_of_their_orders(by: str, stored: bool) -> None:
    orders = a_week()
    if stored:
        now = after(NOW, days=1)
        daily_summaries.build_missing(now.now, real_now=now.real_now, limits=LIMITS)
        assert DayCosts.objects.count() == 4
    found = report.of(WEEK, by=by)
    alike(found.total, orders)
    assert found.missing == 0
    key = {
        "day": lambda order: str(order.finished_at.date()),
        "broker": lambda order: order.slices.get().broker,
        "symbol-algorithm": lambda order: f"{order.symbol} / {order.algorithm}",
    }.get(by, lambda order: getattr(order, by))
    parts = dict(found.groups)
    assert set(parts) == {key(order) for order in orders}
    for name, group in parts.items():
        alike(group, [order for order in orders if key(order) == name])


def test_a_stored_week_is_the_same_as_a_fresh_one() -> None:
    orders = [*a_week(), failed("EXPIRED"), failed("DENIED")]
    working()
    fresh = {by: report.of(WEEK, by=by) for by in report.BY}
    now = after(NOW, days=1)
    daily_summaries.build_missing(now.now, real_now=now.real_now, limits=LIMITS)
    for by, before in fresh.items():
        found = report.of(WEEK, by=by)
        assert [rounded(*pair) for pair in found.groups] == [rounded(*p) for p in before.groups]
        assert (rounded("", found.total), found.worst) == (rounded("", before.total), before.worst)
    assert fresh["week"].total.orders == len(orders) - 1
    assert [key for key, _ in fresh["week"].groups] == ["2026-W09", "2026-W10"]
    assert len(fresh["order"].groups) == len(orders) - 1


def test_one_account_alone() -> None:
    a_week()
    other = filled("151.00", account="second")
    assert report.of(WEEK, account="second").total.orders == 1
    assert [dear.order for dear in report.of(WEEK, account="second").worst] == [other]


def test_a_day_that_is_not_summed_yet_is_told() -> None:
    a_week()
    now = after(NOW, days=1)
    daily_summaries.build_missing(now.now, real_now=now.real_now, limits=LIMITS)
    filled("150.00", account="second")
    found = report.of(WEEK)
    assert (found.total.orders, found.missing) == (8, 1)
    daily_summaries.build_missing(now.now, real_now=now.real_now, limits=LIMITS)
    assert report.of(WEEK).missing == 0


def test_a_late_commission_reaches_a_day_that_is_stored() -> None:
    order = a_week()[0]
    now = after(NOW, days=1)
    daily_summaries.build_missing(now.now, real_now=now.real_now, limits=LIMITS)
    Order.objects.filter(pk=order.pk).update(commission=D("50"))
    CostAnalysis.objects.filter(pk=order.pk).update(
        fees=D("50"), computed_at_real=now.real_now + timedelta(minutes=1)
    )
    daily_summaries.build_missing(now.now, real_now=after(now, hours=1).real_now, limits=LIMITS)
    assert report.of(WEEK).total.of("fees").cost == D("57")


def test_the_dearest_orders_come_first_with_their_reason() -> None:
    a_week()
    found = report.of(WEEK).worst
    assert [dear.cost for dear in found] == sorted((dear.cost for dear in found), reverse=True)
    assert all(dear.reason for dear in found)
    assert all(dear.order.side == "BUY" for dear in found)


def test_what_the_analysis_alone_knows_is_weighted_by_value() -> None:
    """2.5 bps worse than the close on either side, and 40 % of the spread kept."""
    a_week()
    total = report.of(WEEK).total
    assert figures.mean("close", total) == pytest.approx(2.5, abs=1e-6)
    assert total.of("close").cost == pytest.approx(total.value * D("0.00025"), rel=D("0.001"))
    assert figures.measured("spread_capture", total).text == "40.0 %"
    assert not total.of("open").orders


def test_nothing_ended() -> None:
    found = report.of(Period(date(2020, 1, 1), date(2020, 1, 31)))
    assert (found.total, found.groups, found.worst, found.missing) == (Group(), [], [], 0)
