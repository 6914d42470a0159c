"""The operations page: what it shows, who may halt, and what a page costs the database."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from execution.management.roles import ensure_roles
from execution.models import TradingState
from monitoring.operations import slippage
from tests.integration.monitoring.rows import NOON, filled
from tests.integration.order_steps import new_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]

MOST_QUERIES = 12
START, LIVE = "/admin/", "/admin/operations/live/"
HALT = "/admin/execution/tradingstate/halt-all/"
RESUME = "/admin/execution/tradingstate/resume-all/"


@pytest.fixture
def visitor() -> Callable[[str], Client]:
    def visit(role: str) -> Client:
        ensure_roles()
        user = User.objects.create_user(role, is_staff=True, is_superuser=role == "superuser")
        user.groups.set(Group.objects.filter(name=role))
        client = Client()
        client.force_login(user)
        return client

    return visit


def shown(client: Client, path: str = START) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_start_page_shows_the_day_and_what_is_under_way(
    visitor: Callable[[str], Client],
) -> None:
    filled("150.00")
    live = new_order(parts=2)
    page = shown(visitor("Viewer"))
    assert f"{live.pk} {live.side} {live.symbol}" in page
    assert "100.0%" in page
    assert "1 of 1 orders filled" in page
    assert "As of <time>2026-03-02 11:00:" in page


def test_risk_halts_everything_and_everybody_sees_it(visitor: Callable[[str], Client]) -> None:
    new_order(parts=2)
    risk, viewer = visitor("Risk"), visitor("Viewer")
    assert "HALT ALL" in shown(risk)
    assert "1 live order" in shown(risk, HALT)
    answer = risk.post(HALT, {"reason": "runaway"}, follow=True).content.decode()
    assert "live orders in the scope: 1, children not confirmed as ended: 0" in answer
    assert "sends drained" in answer
    row = TradingState.objects.get()
    assert (row.scope, row.state, row.reason, row.changed_by) == (
        "SYSTEM",
        "HALTED",
        "runaway",
        "Risk",
    )
    for path in (START, LIVE, "/admin/execution/order/"):
        assert "SYSTEM: runaway" in shown(viewer, path)
        assert "Resume trading" not in shown(viewer, path)
    risk.post(RESUME, {"reason": "mended"})
    row.refresh_from_db()
    assert (row.state, row.reason) == ("ACTIVE", "mended")
    assert "runaway" not in shown(viewer)


@pytest.mark.parametrize("path", [HALT, RESUME])
@pytest.mark.parametrize(("role", "status"), [("Viewer", 403), ("Trader", 403), ("Risk", 200)])
def test_a_halt_needs_the_permission_and_a_reason(
    visitor: Callable[[str], Client], path: str, role: str, status: int
) -> None:
    client = visitor(role)
    assert client.get(path).status_code == status
    assert client.post(path, {"reason": " "}).status_code == status
    assert not TradingState.objects.exists()
    assert ("HALT ALL" in shown(client)) == (role == "Risk")


@pytest.mark.parametrize("path", [LIVE, "/admin/operations/slippage/"])
def test_who_sees_no_orders_sees_no_figures(visitor: Callable[[str], Client], path: str) -> None:
    nobody = visitor("nobody")
    assert nobody.get(path).status_code == 403
    assert "shows no orders" in shown(nobody)
    assert Client().get(path).status_code == 302


def test_slippage_falls_into_its_buckets() -> None:
    for price in ("149.97", "150.00", "150.03", "160.00"):
        filled(price, arrival_bid="150.00", arrival_ask="150.00")
    filled("150.03", side="SELL", arrival_bid="150.00", arrival_ask="150.00")
    filled("150.00", finished_at=NOON - timedelta(days=1))
    day = NOON.date()
    found = {each["label"]: each["orders"] for each in slippage.distribution(day)}
    assert {label: count for label, count in found.items() if count} == {
        "-2 to +0": 2,
        "+0 to +2": 1,
        "+2 to +4": 1,
        "from +20": 1,
    }


PAGES = [START, LIVE, "/admin/operations/slippage/", HALT] + [
    reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
    for model in site._registry
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_the_database_few_times(visitor: Callable[[str], Client], path: str) -> None:
    new_order(parts=3)
    filled("150.00")
    for client in (visitor("superuser"), visitor("Risk")):
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).status_code in (200, 403)
        assert len(asked) <= MOST_QUERIES, "\n".join(each["sql"][:150] for each in asked)
