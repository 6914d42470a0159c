"""The lists of the back office: what they show first, and what they give away as a file."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.authtoken.models import TokenProxy

from execution.admin import csv_export
from execution.models import BrokerAccount, Order, Slice
from monitoring.models import CostAnalysis
from tests.integration.admin.test_admin import ORDERS, accept, client_of, filled, one_of_each

pytestmark = pytest.mark.django_db

EXPORT = f"{ORDERS}export.csv"


def shown(client: Client, **query: str) -> list[int]:
    return [order.pk for order in client.get(ORDERS, query).context["cl"].result_list]


def rows(client: Client, address: str = EXPORT, **query: str) -> list[dict[str, str]]:
    answer: Any = client.get(address, query)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(StringIO(text, newline="")))


def test_the_list_begins_with_what_is_open_and_leaves_out_what_was() -> None:
    old_and_open, old, today, still_open = (accept() for _ in range(4))
    before = today.created_at - timedelta(days=3)
    Order.objects.filter(pk__in=[old_and_open.pk, old.pk]).update(created_at=before)
    Order.objects.filter(pk__in=[old.pk, today.pk]).update(status="CANCELLED")
    viewer = client_of("Viewer")
    assert shown(viewer) == [still_open.pk, old_and_open.pk, today.pk]
    assert shown(viewer, life="live") == [still_open.pk, old_and_open.pk]
    assert shown(viewer, life="ended") == [today.pk, old.pk]
    assert shown(viewer, life="all") == [still_open.pk, today.pk, old.pk, old_and_open.pk]
    assert old.pk in shown(viewer, q="AAPL"), "who searches finds old orders, too"
    assert shown(viewer, q=str(old.pk)) == [old.pk]
    assert "Today and open" in viewer.get(ORDERS).content.decode()


@pytest.mark.parametrize(
    ("address", "named"), [(ORDERS, "Orders"), ("/admin/monitoring/alert/", "Alerts")]
)
def test_the_tab_of_a_list_says_what_it_lists(address: str, named: str) -> None:
    page = client_of("Viewer").get(address).content.decode()
    title = page[page.index("<title>") : page.index("</title>")]
    assert named in title
    assert "Select" not in page


@pytest.mark.parametrize(("status", "said"), [("ACCEPTED", "preliminary"), ("CANCELLED", "final")])
def test_costs_say_in_words_whether_they_are_final(status: str, said: str) -> None:
    order = accept()
    Order.objects.filter(pk=order.pk).update(status=status)
    CostAnalysis.objects.create(order=order, event_id=1)
    page = client_of("Viewer").get("/admin/monitoring/costanalysis/").content.decode()
    assert f'data-label="figures">{said}<' in page


def test_positions_at_the_broker_are_read_as_the_command_says_them() -> None:
    held = {"T": -1_114, "F": 4_738}
    BrokerAccount.objects.create(broker="ibkr", account="DU1", positions=held)
    page = client_of("Viewer").get("/admin/execution/brokeraccount/").content.decode()
    assert "4,738 F, -1,114 T" in page


def test_a_list_goes_into_a_file_as_it_is_filtered() -> None:
    ours, other = accept(client_reference="=cmd()"), accept()
    Order.objects.filter(pk=other.pk).update(status="CANCELLED")
    viewer = client_of("Viewer")
    assert [row["id"] for row in rows(viewer)] == [str(other.pk), str(ours.pk)]
    [row] = rows(viewer, life="live")
    assert (row["id"], row["symbol"], row["status"]) == (str(ours.pk), "AAPL", "ACCEPTED")
    assert row["client_reference"] == "'=cmd()"
    assert row["created_at"] == ours.created_at.isoformat()
    assert row["limit_price"] == ""
    link = f"{EXPORT.rpartition('/')[2]}?life=live"
    assert link in viewer.get(ORDERS, {"life": "live"}).content.decode()


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 100])
def test_a_long_list_is_read_in_parts_without_losing_a_row(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(csv_export, "AT_ONCE", at_once)
    order = accept(slices=4)
    found = rows(client_of("Viewer"), "/admin/execution/slice/export.csv")
    ids = Slice.objects.filter(order=order).order_by("-pk").values_list("pk", flat=True)
    assert [row["id"] for row in found] == [str(pk) for pk in ids]


reverse("admin:index")  # what has an address is registered by now
EXPORTED = [
    model
    for label in ("execution", "monitoring")
    for model in apps.get_app_config(label).get_models()
    if model in admin.site._registry
]
OF_PEOPLE = (User, Group, TokenProxy)  # whom only superusers look after


def test_no_list_is_without_a_file() -> None:
    assert set(admin.site._registry) == {*EXPORTED, *OF_PEOPLE}


@pytest.mark.parametrize("model", OF_PEOPLE, ids=lambda model: model.__name__)
def test_lists_of_people_give_no_secret_away(model: Any, admin_user: User) -> None:
    viewer, superuser = client_of("Viewer"), Client()
    superuser.force_login(admin_user)
    token = TokenProxy.objects.create(user=admin_user)
    page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    assert 'href="export.csv"' in superuser.get(page).content.decode()
    found = rows(superuser, f"{page}export.csv")
    assert len(found) == model._default_manager.count() > 0
    assert not {"password", "key", "token"} & {name for row in found for name in row}
    assert token.key not in str(found)
    assert admin_user.password not in str(found)
    assert viewer.get(f"{page}export.csv").status_code == 403


@pytest.mark.parametrize("model", EXPORTED, ids=lambda model: model.__name__)
def test_every_list_can_be_taken_along_by_whoever_may_see_it(model: Any) -> None:
    one_of_each()
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    found = rows(client_of("Viewer"), f"{address}export.csv")
    assert len(found) == model._default_manager.count()
    assert not any("token" in name or "secret" in name for row in found for name in row)
    assert client_of("nobody").get(f"{address}export.csv").status_code == 403


@pytest.mark.parametrize("query", [{"no_such": "1"}, {"id__gt": "x"}, {"o": "99"}])
def test_a_filter_that_makes_no_sense_is_no_error_of_ours(query: dict[str, str]) -> None:
    assert client_of("Viewer").get(EXPORT, query).status_code in (200, 400, 403)


def test_every_page_asks_few_queries() -> None:
    one_of_each()
    for _ in range(20):
        filled(accept(slices=2).slices.first())
    viewer, asked = client_of("Viewer"), {}
    for model in EXPORTED:
        meta = model._meta
        address = f"/admin/{meta.app_label}/{meta.model_name}/"
        row = model._default_manager.first()
        for page in [address, *([f"{address}{row.pk}/change/"] if row else [])]:
            viewer.get(page)
            with CaptureQueriesContext(connection) as seen:
                assert viewer.get(page).status_code == 200
            asked[page] = len(seen)
    assert len(asked) > len(EXPORTED)
    assert {page: count for page, count in asked.items() if count > 12} == {}


def test_an_empty_list_says_what_it_is_empty_of() -> None:
    order, viewer = accept(), client_of("Viewer")
    old = order.created_at - timedelta(days=3)
    Order.objects.filter(pk=order.pk).update(status="CANCELLED", created_at=old)
    assert "No order is open, and none is of today." in viewer.get(ORDERS).content.decode()
    asked = viewer.get(ORDERS, {"q": "NONE"}).content.decode()
    assert "No orders match what you asked for." in asked
    assert "Nothing here yet." in viewer.get("/admin/execution/fill/").content.decode()
    restricted = client_of("Risk").get("/admin/execution/restrictedsymbol/").content.decode()
    assert "Add the first" in restricted


def test_an_order_says_by_which_way_it_came_in() -> None:
    order = accept()
    Order.objects.filter(pk=order.pk).update(submitted_via="CLI")
    page = client_of("Viewer").get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert "command line" in page


def test_the_open_list_is_told_what_has_changed_of_its_orders() -> None:
    part = accept(slices=2).slices.first()
    ours, other = part.order, accept()
    filled(part)
    ours.refresh_from_db()
    told = client_of("Viewer").get(f"{ORDERS}now/", {"orders": f"{ours.pk},{2**63 - 1}"}).json()
    assert told["newest"] == other.pk
    assert list(told["orders"]) == [str(ours.pk)]
    columns = told["orders"][str(ours.pk)]
    assert f">{ours.status}<" in columns["state"]
    assert f"{ours.filled_quantity:,} / {ours.quantity:,}" in columns["filled"]
    assert client_of("nobody").get(f"{ORDERS}now/").status_code == 403


@pytest.mark.parametrize("asked", ["", "x", "1,", "-1", ",".join(map(str, range(1, 300)))])
def test_an_open_list_that_asks_for_nonsense_is_told_of_no_order(asked: str) -> None:
    assert client_of("Viewer").get(f"{ORDERS}now/", {"orders": asked}).json()["orders"] == {}
