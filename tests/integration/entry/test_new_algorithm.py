"""A new algorithm is one plan and one line in the registry: every door knows it."""

import json
import subprocess
import sys
from datetime import UTC, datetime, time, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from execution import context
from execution.domain.algorithms.base import PlannedSlice, Spec, weighted
from execution.domain.algorithms.registry import ALGOS, Algorithm
from execution.domain.slice_times import even_times
from execution.entry import acceptance
from execution.entry.preview import preview
from execution.models import Order
from execution.orders import queries
from tests.integration.api.test_api import client_of

# Always to come, and in the middle of the simulated market's UTC day.
NOON = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(12), UTC)
ASKED: dict[str, Any] = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 400,
    "algorithm": "HALVES",
    "decision_price": 150,
    "start_at": NOON,
    "window_minutes": 60,
}


def halves(spec: Spec) -> tuple[PlannedSlice, ...]:
    """Three quarters in the first half of the window."""
    return weighted(spec, even_times(spec.start, spec.end, 2), [3, 1])


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALGOS, "HALVES", Algorithm(halves, vwap_benchmark=True))


@pytest.mark.django_db
def test_its_order_is_accepted_and_planned_by_it() -> None:
    order = acceptance.accept(ASKED, context.default())
    assert (order.status, order.algorithm) == ("ACCEPTED", "HALVES")
    planned = order.slices.order_by("sequence").values_list("planned_quantity", flat=True)
    assert list(planned) == [300, 100]
    assert order.slices.last().end_at == NOON + timedelta(minutes=60)


@pytest.mark.django_db
def test_it_is_previewed_beside_the_others_and_has_the_usual_window() -> None:
    seen = preview(ASKED | {"window_minutes": None}, context.default())
    assert (seen["algorithm"], seen["slices"]) == ("HALVES", 2)
    minutes = context.default().config.execution.twap.default_time_window
    assert seen["end_at"] == (NOON + timedelta(minutes=minutes)).isoformat()
    assert {each["algorithm"] for each in seen["alternatives"]} == set(ALGOS)


@pytest.mark.django_db
def test_it_follows_the_participation_cap_and_the_residual_policies() -> None:
    order = acceptance.accept(
        ASKED | {"residual": "FORCE", "max_participation": 0.05}, context.default()
    )
    assert order.parameters["max_participation"] == 0.05
    assert order.routing["residual"]["policy"] == "FORCE"


@pytest.mark.django_db
def test_it_is_judged_against_the_vwap_where_its_entry_says_so() -> None:
    usual = context.default()
    order = acceptance.accept(ASKED, usual)
    later = NOON + timedelta(minutes=10)
    assert queries.tracking(order, usual.market, now=later) is not None


@pytest.mark.django_db
def test_the_api_takes_it_and_the_command_line_too() -> None:
    body = ASKED | {"start_at": NOON.isoformat()}
    answer = client_of("Trader").post("/api/v1/orders/", body, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["algorithm"] == "HALVES"
    out = StringIO()
    call_command(
        "preview",
        *("BUY", "400", "AAPL", "--price", "150", "--algorithm", "HALVES"),
        stdout=out,
    )
    assert "HALVES" in out.getvalue()
    assert Order.objects.count() == 1


_DOCUMENT = """
from execution.domain.algorithms import registry, single
registry.ALGOS["HALVES"] = registry.Algorithm(single.plan)
import deepstack.django_setup
deepstack.django_setup.ensure()
from django.core.management import call_command
call_command("spectacular", "--format", "openapi-json")
"""


def test_the_api_documents_it() -> None:
    """In a process of its own: the document is made of what is registered at the start."""
    done = subprocess.run(
        [sys.executable, "-c", _DOCUMENT], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    described = json.dumps(document["paths"]["/api/v1/orders/"])
    assert described.count('"HALVES"') >= 2  # the filter of the list, the signal of a new order
    assert '"HALVES"' in json.dumps(document["paths"]["/api/v1/orders/preview/"])
