"""Figures against the market are marked while its last minutes may still change them."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from execution.management import progress
from execution.orders import queries
from monitoring.models import CostAnalysis, DailySummary
from monitoring.reporting import cost_analysis, daily_summaries
from tests.integration.monitoring.rows import LIMITS, NOON, NOW, after, filled, store_tape, working

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("ended", "seconds", "preliminary"),
    [
        pytest.param(30, 0, True, id="its minute is not complete"),
        pytest.param(30, 29, True, id="nor now"),
        pytest.param(30, 89, True, id="complete, and may not be told yet"),
        pytest.param(30, 90, False, id="told"),
        pytest.param(0, 59, True, id="ended with a minute"),
        pytest.param(0, 60, False, id="ended with a minute, told"),
    ],
)
def test_the_market_vwap_is_preliminary_until_its_last_bar_is_told(
    ended: int, seconds: int, preliminary: bool
) -> None:
    end = NOON - timedelta(minutes=10) + timedelta(seconds=ended)
    order = filled("150.30", finished_at=end, end_at=end)
    tape = store_tape("150.00")
    told = queries.report(order, tape, now=end + timedelta(seconds=seconds))
    assert told["preliminary"] == preliminary
    text = dict(progress._figures(told))["market VWAP"]
    assert text.endswith("preliminary") == preliminary


def test_the_figures_of_a_live_order_are_preliminary() -> None:
    told = queries.report(working(), store_tape("150.00"), now=NOON)
    assert told["preliminary"]


def test_a_cost_analysis_is_preliminary_until_it_is_final(admin_client: Client) -> None:
    order = filled("150.30", finished_at=NOON - timedelta(seconds=30), end_at=NOON)
    tape = store_tape("150.00")
    cost_analysis.note_changes([order.pk], moment=NOW)
    cost_analysis.compute_due(moment=NOW, market=tape)

    def told() -> bool:
        answer = admin_client.get(f"/api/v1/costs/{order.pk}/").json()
        assert answer["preliminary"] != answer["final"]
        return bool(answer["preliminary"])

    assert told()
    assert admin_client.get("/admin/monitoring/costanalysis/").status_code == 200
    cost_analysis.compute_due(moment=after(NOW, minutes=8), market=tape)
    assert not told()


def test_a_summary_says_what_is_preliminary_and_is_built_again_when_it_is_final() -> None:
    filled("150.30")
    order = filled("150.30")
    tape = store_tape("150.00")
    cost_analysis.note_changes([order.pk], moment=NOW)
    day = NOON + timedelta(days=1)
    (summary,) = daily_summaries.build_missing(day, real_now=day, limits=LIMITS)
    assert summary.figures["preliminary_orders"] == 2
    later = after(NOW, days=1, hours=1)
    cost_analysis.note_changes([row.pk for row in type(order).objects.all()], moment=later)
    cost_analysis.compute_due(moment=later, market=tape)
    assert not CostAnalysis.objects.filter(due_at_real__isnull=False).exists()
    daily_summaries.build_missing(later.now, real_now=later.real_now, limits=LIMITS)
    assert DailySummary.objects.get().figures["preliminary_orders"] == 0


def test_the_summary_command_says_it_too() -> None:
    filled("150.30")
    out = StringIO()
    call_command("summary", "--date", "2026-03-02", stdout=out)
    assert "may still change the costs of 1 order" in " ".join(out.getvalue().split())
    out = StringIO()
    call_command("summary", "--date", "2026-03-02", "--json", stdout=out)
    assert json.loads(out.getvalue())["preliminary_orders"] == 1
