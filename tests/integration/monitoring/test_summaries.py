"""Daily summaries: built once, for days that are over, and corrected by what comes late."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection
from django.db.migrations.loader import MigrationLoader

from execution.models import Order
from monitoring.alerting import surveillance
from monitoring.clocks import Moment
from monitoring.models import DailySummary
from monitoring.reporting import daily_summaries
from tests.integration.monitoring.rows import (
    CONFIG,
    LIMITS,
    NOON,
    NOW,
    add_event,
    after,
    failed,
    filled,
    replay,
    store_tape,
    working,
)

MONDAY = NOON.date()
NEXT_DAY = NOON + timedelta(days=1)


def build(now: datetime) -> list[tuple[str, str]]:
    made = daily_summaries.build_missing(now, real_now=now, limits=LIMITS)
    return [(summary.account, summary.date.isoformat()) for summary in made]


@pytest.mark.django_db
def test_a_day_is_summed_up_once_it_is_over_in_new_york() -> None:
    filled("150.30")
    filled("150", account="second")
    midnight = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
    assert build(NOON) == []
    assert build(midnight - timedelta(seconds=1)) == []
    assert build(midnight) == [("main", "2026-03-02"), ("second", "2026-03-02")]
    assert build(midnight) == []


@pytest.mark.django_db
def test_days_missed_while_nobody_built_are_caught_up() -> None:
    for days in (0, 1, 4):
        filled("150", finished_at=NOON + timedelta(days=days))
    assert build(NOON + timedelta(days=9)) == [
        ("main", "2026-03-02"),
        ("main", "2026-03-03"),
        ("main", "2026-03-06"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("finished", "day"),
    [
        ("2026-03-03 04:59", "2026-03-02"),
        ("2026-03-03 05:00", "2026-03-03"),
        # Summer time began on the 8th: midnight is an hour earlier in UTC.
        ("2026-03-09 03:59", "2026-03-08"),
        ("2026-03-09 04:00", "2026-03-09"),
    ],
)
def test_days_are_those_of_new_york(finished: str, day: str) -> None:
    filled("150", finished_at=datetime.fromisoformat(finished).replace(tzinfo=UTC))
    assert build(NOON + timedelta(days=30)) == [("main", day)]


@pytest.mark.django_db
def test_the_figures_of_a_summary() -> None:
    market = store_tape("150.00")
    orders = [
        filled("150.30", quantity=1_000, commission="5"),
        filled("149.85", quantity=500, side="SELL", commission="2.5"),
        failed(),
        failed("DENIED", finished_at=None, quantity=10**9),
    ]
    working()
    surveillance.evaluate(moment=NOW, config=CONFIG, limits=LIMITS, market=market)
    build(NEXT_DAY)
    summary = DailySummary.objects.get()
    assert (summary.total_executions, summary.filled_orders, summary.failed_orders) == (4, 2, 2)
    assert summary.success_rate == 0.5
    assert (summary.total_volume, summary.total_value) == (1_500, Decimal(225_225))
    assert summary.commission == Decimal("7.5")
    # 300 + 75 of cost over 225,000 at the mid; the tape's VWAP is the same price.
    assert (summary.slippage_bps, summary.vwap_bps) == (Decimal("16.6667"), Decimal("16.6667"))
    # 375 and 7.50 of commission over 1,600 shares at the decision price: the order that was
    # rejected had its price unchanged.
    assert summary.shortfall_bps == Decimal("15.9375")
    assert summary.alerts_generated == 1, "the order that was rejected"
    # 0.30 * 50 + 0.15 * 93.75 + 0.10 * 100 + 0.25 * 58.33 + 0.20 * 91.67
    assert (summary.grade, round(summary.quality_score, 1)) == ("C", 72.0)
    assert set(summary.figures["by_algorithm"]) == {"TWAP"}
    assert len(orders) == summary.figures["by_algorithm"]["TWAP"]["orders"]


@pytest.mark.django_db
def test_a_mistyped_decision_price_is_in_no_figure_of_the_day() -> None:
    market = store_tape("150.00")
    filled("150.30", quantity=1_000, commission="5")
    filled("150.30", decision_price=Decimal("0.15"), decision_within_collar=False)
    surveillance.evaluate(moment=NOW, config=CONFIG, limits=LIMITS, market=market)
    build(NEXT_DAY)
    summary = DailySummary.objects.get()
    assert summary.total_executions == 2
    assert summary.shortfall_bps == Decimal("20.3333")  # 305 over 150,000: of the first alone


@contextmanager
def computed_at_as_it_was_called() -> Iterator[None]:
    """For a migration of before the column had its present name."""
    rename = "ALTER TABLE monitoring_costanalysis RENAME COLUMN {} TO {}"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what they await forbids the renaming
        cursor.execute(rename.format("computed_at_real", "computed_wall"))
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(rename.format("computed_wall", "computed_at_real"))


@pytest.mark.django_db
def test_figures_of_before_lose_what_rested_on_a_mistyped_decision_price() -> None:
    market = store_tape("150.00")
    filled("150.30", quantity=1_000, commission="5")
    slip = filled("150.30", decision_price=Decimal("0.15"))  # as it was taken before
    surveillance.evaluate(moment=NOW, config=CONFIG, limits=LIMITS, market=market)
    build(NEXT_DAY)
    assert DailySummary.objects.get().shortfall_bps > 500
    import_module("execution.migrations.0003_settled_value").judge(apps, None)
    with computed_at_as_it_was_called():
        name = "0002_costs_without_off_market_prices"
        then = MigrationLoader(connection).project_state(("monitoring", name)).apps
        import_module(f"monitoring.migrations.{name}").clear(then, None)
    slip.refresh_from_db()
    assert slip.decision_within_collar is False
    later = datetime.now(UTC) + timedelta(days=1)
    build(later)
    assert DailySummary.objects.get().shortfall_bps == Decimal("20.3333")


@pytest.mark.django_db
def test_a_late_commission_corrects_the_day() -> None:
    market = store_tape("150.00")
    order = filled("150.00")
    assert build(NEXT_DAY) == [("main", "2026-03-02")]
    Order.objects.filter(pk=order.pk).update(commission=Decimal("9.99"))
    add_event(order, "COMMISSION")
    moment = after(NOW, days=1, minutes=5)
    surveillance.evaluate(moment=moment, config=CONFIG, limits=LIMITS, market=market)
    assert build(NEXT_DAY + timedelta(minutes=6)) == [("main", "2026-03-02")]
    assert build(NEXT_DAY + timedelta(minutes=7)) == []
    assert DailySummary.objects.get().commission == Decimal("9.99")


@pytest.mark.django_db
def test_an_account_and_day_has_one_row() -> None:
    filled("150")
    build(NEXT_DAY)
    row = DailySummary.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError, match="summary_once_a_day"):
        row.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_two_builders_at_once_build_one() -> None:
    filled("150")

    def once(_: int) -> int:
        try:
            return len(build(NEXT_DAY))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(once, range(4))) == 1
    assert DailySummary.objects.count() == 1


@pytest.mark.django_db
def test_each_day_counts_its_own_alerts() -> None:
    for days in (0, 1):
        moment = Moment(now=NOON + timedelta(days=days), real_now=NOON)
        filled("150.50", finished_at=moment.now, end_at=moment.now)
        surveillance.evaluate(moment=moment, config=CONFIG, limits=LIMITS, market=replay())
    build(NOON + timedelta(days=2))
    assert list(DailySummary.objects.order_by("date").values_list("date", "alerts_generated")) == [
        (date(2026, 3, 2), 1),
        (date(2026, 3, 3), 1),
    ]
