"""One order in the back office: its charts and its audit trail."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from execution.domain.lifecycle import SliceStatus
from execution.models import Order
from monitoring.models import Alert, CostAnalysis
from tests.integration.admin.test_admin import ORDERS, accept, client_of, filled
from tests.integration.monitoring.rows import store_order
from tests.integration.order_steps import claim, execution, new_order, receive, report

pytestmark = pytest.mark.django_db


def test_the_chart_shows_the_plan_and_what_was_executed() -> None:
    order = accept()
    filled(order.slices.first(), 30)
    answer = client_of("Viewer").get(f"{ORDERS}{order.pk}/curve/")
    drawn = answer.json()
    assert drawn["planned"][0][1] == 0
    assert [shares for _, shares in drawn["planned"][1:]] == list(range(10, 101, 10))
    assert [shares for _, shares in drawn["executed"]] == [0, 30]
    assert [price for _, price in drawn["average"]] == [150.1]
    assert drawn["live"] is True


def test_an_execution_is_on_the_page_and_in_the_api_once_it_is_booked() -> None:
    order, viewer = new_order(1_000, 1), client_of("Viewer")
    intent = claim(order.slices.get())
    assert intent is not None

    def shown() -> tuple[list[tuple[int, str]], bool]:
        fills = viewer.get(f"/api/v1/orders/{order.pk}/fills/").json()["results"]
        page = viewer.get(f"{ORDERS}{order.pk}/change/").content.decode()
        executions = [(fill["quantity"], fill["price"]) for fill in fills]
        return executions, f"{intent.ticket.client_order_id}/traded" in page

    assert shown() == ([], False)
    receive(intent, report(intent, SliceStatus.WORKING, [execution(intent, "traded", 300)]))
    assert shown() == ([(300, "150.000000")], True)


@pytest.mark.parametrize(("role", "code"), [("Viewer", 200), ("nobody", 403), ("Risk", 200)])
def test_who_may_see_the_chart(role: str, code: int) -> None:
    order = accept()
    assert client_of(role).get(f"{ORDERS}{order.pk}/curve/").status_code == code


def test_the_chart_of_no_order_is_not_found() -> None:
    assert client_of("Viewer").get(f"{ORDERS}999999/curve/").status_code == 404


def test_the_audit_trail_folds_its_facts_away() -> None:
    page = client_of("Viewer").get(f"{ORDERS}{accept().pk}/change/").content.decode()
    assert "BUY 100 AAPL accepted, algo TWAP, slices: 10" in page
    assert '<details class="ds-facts"><summary>BUY 100 AAPL accepted' in page


def queries_of(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def test_the_page_asks_few_queries_however_many_parts_there_are() -> None:
    trader, counts = client_of("Trader"), set()
    for slices in (2, 60):
        order = accept(slices=slices)
        for part in order.slices.all():
            filled(part)
        for path in (f"{ORDERS}{order.pk}/change/", head(order)):
            # What is cached for seconds is asked anew now and then.
            fewest = min(queries_of(trader, path) for _ in range(4))
            counts.add((path.split("/")[2], fewest))
    assert len(counts) == 2  # the page and its head, whatever the order
    assert max(count for _, count in counts) <= 12


def test_parts_beyond_those_shown_are_a_link_away() -> None:
    order = accept(slices=51)
    page = client_of("Viewer").get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert f'?order__id__exact={order.pk}">the first 50, show all</a>' in page
    assert page.count("PLANNED") == 50


def head(order: Order) -> str:
    return f"/admin/operations/order/{order.pk}/"


def shown(order: Order, role: str = "Viewer") -> str:
    return " ".join(client_of(role).get(head(order)).content.decode().split())


def test_costs_are_preliminary_until_they_are_final() -> None:
    order = store_order(
        filled_quantity=100, filled_notional=15_003, estimated_slippage_bps=4.0, status="WORKING"
    )
    assert "So far, preliminary" in shown(order)
    assert "+4.0 bps <small>+$6.00</small>" in shown(order)  # of 15,000 dollars
    assert "+2.0 bps</b> <small>+$3.00</small>" in shown(order)
    Order.objects.filter(pk=order.pk).update(status="FILLED")
    assert "At the end, preliminary" in shown(order)
    cost = CostAnalysis.objects.create(
        order=order,
        event_id=1,
        market_vwap=Decimal("150.01"),
        vwap_bps=Decimal("1.3"),
        shortfall_bps=Decimal("2.5"),
        delay=1,
        trading=2,
        opportunity=0,
        fees=Decimal("0.75"),
    )
    final = shown(order)
    assert "preliminary" not in final
    assert "Final" in final
    assert "150.0100" in final
    assert "+1.3 bps</b>" in final
    assert "+2.5 bps</b> <small>+$3.75</small>" in final
    assert f"/admin/monitoring/costanalysis/{cost.pk}/change/" in final


@pytest.mark.parametrize(("basis", "said"), [("IF_FILLED", True), ("SPREAD_ONLY", False)])
def test_the_estimate_of_a_limit_that_waits_says_that_it_may_not_fill(
    basis: str, said: bool
) -> None:
    order = store_order(
        status="WORKING", estimated_slippage_bps=-40.0, routing={"estimate": {"basis": basis}}
    )
    assert ("<small>if it fills</small>" in shown(order)) is said


def test_a_denied_order_has_no_cost() -> None:
    assert "Never worked, no cost." in shown(accept(quantity=500_000_000))


def test_the_head_leads_to_the_alerts_of_the_order() -> None:
    order = accept()
    assert "No alerts." in shown(order)
    Alert.objects.create(
        kind="PAUSED",
        severity="WARNING",
        message="paused",
        order=order,
        dedupe_key="x",
        raised_at=order.created_at,
        raised_at_real=order.created_at,
    )
    assert f'/admin/monitoring/alert/?order__id__exact={order.pk}">1 alert, 1 active</a>' in shown(
        order
    )
    found = client_of("superuser").get(f"/admin/monitoring/alert/?order__id__exact={order.pk}")
    assert found.status_code == 200


@pytest.mark.parametrize(
    ("role", "offered"), [("Viewer", []), ("Risk", ["Pause", "Cancel"]), ("Trader", ["Amend"])]
)
def test_the_head_offers_what_its_reader_may_do(role: str, offered: list[str]) -> None:
    head_of = shown(accept(), role)
    assert all(f">{name}</a>" in head_of for name in offered)
    assert offered or "ds-control" not in head_of
    assert client_of("nobody").get(head(accept())).status_code == 403
