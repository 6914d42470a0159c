"""/metrics: who may read it, what it counts, and that the board and the alerts name what it has."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families as parsed
from pydantic import SecretStr
from pytest_django import Settings

from deepstack.config import ROOT
from execution.models import BrokerDifference
from monitoring.clocks import Moment
from monitoring.metrics import page, totals
from monitoring.models import MetricTotals
from tests.integration.monitoring.rows import NOON, add_event, child, store_order, working

FOLDER = ROOT / "monitoring" / "grafana"
TOKEN = "only-for-tests"


@pytest.fixture
def token(settings: Settings) -> Iterator[None]:
    settings.CONFIG = settings.CONFIG.model_copy(update={"metrics_token": SecretStr(TOKEN)})
    page._kept.until = 0.0
    yield
    page._kept.until = 0.0


def scrape() -> dict[tuple[str, str], float]:
    """By the series' name and the values of its labels, joined by commas."""
    page._kept.until = 0.0
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in parsed(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Token {TOKEN}"}, 401),
    ],
)
def test_nobody_reads_metrics_without_the_token(
    token: None, headers: dict[str, str], status: int
) -> None:
    answer = Client().get("/metrics", headers=headers)
    assert (answer.status_code, TOKEN in answer.content.decode()) == (status, False)


def test_there_is_no_such_page_unless_a_token_is_set() -> None:
    answer = Client().get("/metrics", headers={"Authorization": "Bearer "})
    assert answer.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_each_event_is_counted_once(token: None) -> None:
    before = scrape()
    order = working()
    part = child(order, lateness_ms=30.0, sent_at=NOON, broker="paper")
    facts = {"from": "SENDING", "to": "WORKING"}
    event = add_event(order, "SLICE_STATUS", **facts)
    type(event).objects.filter(pk=event.pk).update(slice=part, at=NOON + timedelta(seconds=2))
    fill = add_event(order, "FILL", quantity=60, price="150.00")
    type(fill).objects.filter(pk=fill.pk).update(slice=part)
    add_event(order, "SLICES_CHANGED", slices=[1, 2, 3], to="CANCELLED")
    add_event(store_order(status="DENIED"), "ORDER_DENIED", code="NOTIONAL_EXCEEDS_MAX")
    _let_the_next_scrape_count()
    once = scrape()
    _let_the_next_scrape_count()
    for seen in (once, scrape()):
        assert seen["deepstack_fills_total", "paper"] == 1
        assert seen["deepstack_filled_shares_total", "paper"] == 60
        assert seen["deepstack_slices_total", "CANCELLED"] == 3
        assert seen["deepstack_denials_total", "NOTIONAL_EXCEEDS_MAX"] == 1
        assert seen["deepstack_slice_lateness_seconds_bucket", "0.025"] == 0
        assert seen["deepstack_slice_lateness_seconds_bucket", "0.05"] == 1
        assert seen["deepstack_broker_answer_seconds_bucket", "paper,1.0"] == 0
        assert seen["deepstack_broker_answer_seconds_bucket", "paper,2.5"] == 1
    assert before["deepstack_slice_lateness_seconds_count", ""] == 0


@pytest.mark.django_db(transaction=True)
def test_an_event_whose_transaction_ends_late_is_counted_all_the_same(token: None) -> None:
    scrape()
    order = working()
    written, finish = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            add_event(order, "CANCEL_REQUESTED")
            written.set()
            finish.wait(20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(20)
    add_event(order, "ORDER_REASON", reason="with a higher number, committed before")
    _let_the_next_scrape_count()
    scrape()
    finish.set()
    thread.join(20)
    _let_the_next_scrape_count()
    seen = scrape()
    assert seen["deepstack_events_total", "CANCEL_REQUESTED"] == 1
    assert seen["deepstack_events_total", "ORDER_REASON"] == 1


def _let_the_next_scrape_count() -> None:
    row = MetricTotals.objects.get()
    assert row.counted_at_real
    MetricTotals.objects.update(counted_at_real=row.counted_at_real - timedelta(seconds=5))


@pytest.mark.django_db
def test_gauges_say_how_things_stand(token: None) -> None:
    order = working()
    child(order, status="UNKNOWN", quantity=5, claim_token="0" * 32)
    child(order, status="PLANNED")
    real_now = Moment.read().real_now
    BrokerDifference.objects.create(
        broker="paper",
        account="main",
        kind="POSITION",
        subject="AAPL",
        ours="1",
        theirs="2",
        words="differs",
        first_seen_at_real=real_now,
        last_seen_at_real=real_now,
    )
    seen = scrape()
    assert seen["deepstack_open_orders", "WORKING"] == 1
    assert seen["deepstack_open_orders", "PAUSED"] == 0
    assert seen["deepstack_slices_outcome_unknown", ""] == 1
    assert seen["deepstack_slices_overdue", ""] == 1
    assert seen["deepstack_reconciliation_breaks", "main,POSITION"] == 1
    assert seen["deepstack_processes_alive", "WORKER"] == 0
    assert ("deepstack_queue_depth", "slices") in seen


def _named_outside() -> set[str]:
    """Every series that the alerts, the board or the page of operations names."""
    texts = [
        *(each.read_text() for each in sorted(FOLDER.iterdir())),
        (ROOT / "docs" / "metrics.md").read_text(),
    ]
    return {name for text in texts for name in re.findall(r"deepstack_[a-z_]+", text)}


@pytest.mark.django_db
def test_the_board_and_the_alerts_name_series_that_exist(token: None) -> None:
    page._kept.until = 0.0
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    said = {
        line.split()[2]
        for line in answer.content.decode().splitlines()
        if line.startswith("# TYPE")
    }
    histograms = {f"deepstack_{shown}" for _, shown, _, _ in page.HISTOGRAMS}
    series = said | {f"{each}_{end}" for each in histograms for end in ("bucket", "sum", "count")}
    assert _named_outside() <= series
    documented = set(re.findall(r"`(deepstack_[a-z_]+)`", (ROOT / "docs/metrics.md").read_text()))
    assert said == documented


@pytest.mark.django_db
@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool")
def test_promtool_takes_the_page(token: None) -> None:
    page._kept.until = 0.0
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    words = ["promtool", "check", "metrics"]
    done = subprocess.run(words, input=answer.content, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_a_histogram_is_cumulative_and_ends_with_the_count() -> None:
    counted = {
        totals.key("lateness_bucket", "0.05"): 2.0,
        totals.key("lateness_bucket", "+Inf"): 1.0,
        totals.key("lateness_sum"): 45.0,
    }
    family = next(iter(page.histograms(counted)))
    at = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
    assert (at["0.025"], at["0.05"], at["30.0"], at["+Inf"]) == (0, 2, 2, 3)
    assert Decimal(at["deepstack_slice_lateness_seconds_sum"]) == 45
