"""The TCA page and its files."""

import csv
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from execution.management.roles import ensure_roles
from monitoring.cost_report.report import BY
from tests.integration.monitoring.rows import NOON, filled
from tests.integration.monitoring.test_cost_report import a_week

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]
MOST_QUERIES = 13
PAGE = "/admin/tca/"
FILES = ("/admin/tca/report.html", "/admin/tca/report.csv")
TODAY = NOON.date()


@pytest.fixture
def viewer() -> Client:
    ensure_roles()
    user = User.objects.create_user("viewer", is_staff=True)
    user.groups.set(Group.objects.filter(name="Viewer"))
    client = Client()
    client.force_login(user)
    return client


def shown(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_the_month_by_strategy_with_its_dearest_orders(viewer: Client) -> None:
    orders = a_week()
    page = shown(viewer, f"{PAGE}?from=2026-02-01&to=2026-03-02&by=strategy")
    for strategy in ("s0", "s1", "s2"):
        assert f'<th scope="row">{strategy}</th>' in page
    assert "8 orders" in page
    assert f'<a href="/admin/execution/order/{orders[6].pk}/change/">' in page
    assert page.count('<svg class="tca-chart"') == 4
    assert '<option value="strategy" selected>' in page


def test_each_order_is_a_line_that_leads_to_it(viewer: Client) -> None:
    order = a_week()[0]
    page = shown(viewer, f"{PAGE}?from=2026-02-01&to=2026-03-02&by=order")
    address = f"/admin/execution/order/{order.pk}/change/"
    assert f'<a href="{address}">{order.pk} BUY AAPL</a>' in page


def test_the_navigation_leads_there(viewer: Client) -> None:
    assert f'href="{PAGE}"' in shown(viewer, "/admin/")
    assert "No order with an execution ended in 2026-03-02" in shown(viewer, f"{PAGE}?period=today")


@pytest.mark.parametrize("by", BY)
def test_a_page_asks_the_database_few_times(viewer: Client, by: str) -> None:
    a_week()
    with CaptureQueriesContext(connection) as asked:
        shown(viewer, f"{PAGE}?from=2026-02-01&to=2026-03-02&by={by}")
    assert len(asked) <= MOST_QUERIES, "\n".join(each["sql"][:150] for each in asked)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("from=2026-13-01", "from: must be"),
        ("from=2026-03-02&to=2026-03-01", "to: must not be before 2026-03-02"),
        ("from=2020-01-01&to=2026-03-01", "at most 366 days"),
        ("period=decade", "must be one of today, week, month"),
        ("by=colour", "must be one of symbol"),
    ],
)
def test_a_wrong_period_is_named(viewer: Client, asked: str, said: str) -> None:
    for path in (PAGE, *FILES):
        answer = viewer.get(f"{path}?{asked}")
        assert answer.status_code == 400
        assert said in answer.content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize("path", [PAGE, *FILES])
def test_who_sees_no_costs_sees_no_report(path: str) -> None:
    client = Client()
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.get(path).status_code == 403
    assert Client().get(path).status_code == 302


def test_the_html_file_needs_nothing_else(viewer: Client) -> None:
    a_week()
    answer = viewer.get(f"{FILES[0]}?from=2026-02-01&to=2026-03-02")
    text = answer.content.decode()
    assert 'filename="tca-2026-02-01-2026-03-02.html"' in answer.headers["Content-Disposition"]
    assert text.count("<svg") == 3
    assert "<h2>Shortfall by symbol</h2>" in text
    for outside in ("<script", "<link", "http", "src=", "href=", "url(", "@import"):
        assert outside not in text, outside


def test_the_csv_has_every_measure_and_no_formula(viewer: Client) -> None:
    a_week()
    filled("150.10", strategy='=HYPERLINK("http://x")')
    text = shown(viewer, f"{FILES[1]}?from=2026-02-01&to=2026-03-02&by=strategy")
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["strategy"] for row in rows][-1] == "all"
    assert '\'=HYPERLINK("http://x")' in {row["strategy"] for row in rows}
    assert float(rows[-1]["arrival_cost"]) == pytest.approx(
        sum(float(row["arrival_cost"]) for row in rows[:-1])
    )
    assert rows[-1]["orders"] == "9"
