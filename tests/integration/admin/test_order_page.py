"""One order in the back office: its charts and its audit trail."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.admin.test_admin import ORDERS, accept, client_of, filled

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


def test_the_page_asks_the_same_few_queries_for_many_parts() -> None:
    viewer, counts = client_of("Viewer"), []
    for slices in (2, 40):
        order = accept(slices=slices)
        for part in order.slices.all():
            filled(part)
        with CaptureQueriesContext(connection) as seen:
            viewer.get(f"{ORDERS}{order.pk}/change/")
        counts.append(len(seen))
    assert counts[1] - counts[0] < 5  # what is cached may differ, not what is read of each part
