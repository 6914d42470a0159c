"""Orders that belong together: how they get their basket, its page, and controls over all of it."""

import csv
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from execution import context
from execution.admin import control_pages
from execution.domain.signal import InvalidSignal
from execution.entry import acceptance
from execution.models import Order
from monitoring.baskets import figures
from monitoring.models import CostAnalysis
from tests.integration.admin.test_admin import ORDERS, client_of
from tests.integration.api.test_api import client_of as api_client_of
from tests.integration.api.test_api import post
from tests.integration.monitoring.rows import failed, filled, working

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]

BASKETS, BASKET = "/admin/baskets/", "/admin/baskets/basket/"
D = Decimal
BUY = {"symbol": "AAPL", "side": "BUY", "quantity": 100, "algorithm": "TWAP", "slices": 2}
SELL = BUY | {"symbol": "KO", "side": "SELL"}


def shown(client: Client, path: str, **asked: str) -> str:
    answer = client.get(path, asked)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def names() -> list[str]:
    return [order.basket for order in Order.objects.order_by("pk")]


def accept(*signals: dict[str, Any], basket: str = "") -> list[Order]:
    return acceptance.accept_all(signals, context.default(), basket=basket)


def test_a_list_that_names_no_basket_gets_one_and_an_order_alone_none() -> None:
    api = api_client_of("Trader")
    told = post(api, [BUY, SELL]).json()
    assert told["basket"].startswith("list-")
    assert names() == [told["basket"]] * 2
    assert {order["basket"] for order in told["orders"]} == {told["basket"]}
    assert post(api, BUY).json()["basket"] == ""
    assert post(api, [BUY]).json()["basket"] == ""


def test_orders_go_into_the_basket_that_they_name() -> None:
    api = api_client_of("Trader")
    told = post(api, [BUY | {"basket": "monday"}, SELL]).json()
    assert names()[0] == "monday"
    assert names()[1].startswith("list-")
    assert told["basket"] == "", "they share none"
    found = api.get("/api/v1/orders/", {"basket": "monday"}).json()["results"]
    assert [order["symbol"] for order in found] == ["AAPL"]


def test_the_same_list_again_stays_in_its_basket() -> None:
    once = [BUY | {"client_reference": "a"}, SELL | {"client_reference": "b"}]
    accept(*once, basket="first")
    assert [order.basket for order in accept(*once, basket="second")] == ["first", "first"]


def test_a_basket_is_a_term_of_the_signal_that_names_it() -> None:
    accept(BUY | {"client_reference": "a", "basket": "monday"})
    with pytest.raises(InvalidSignal, match="basket was monday, is tuesday"):
        accept(BUY | {"client_reference": "a", "basket": "tuesday"})


def test_an_impossible_name_is_refused_and_nothing_is_stored() -> None:
    with pytest.raises(InvalidSignal, match="basket: must be 1 to 64 letters"):
        accept(BUY | {"basket": " monday"})
    assert not Order.objects.exists()


def test_the_sums_of_a_basket() -> None:
    """Mid at arrival 150.00. The denied order counts in nothing but its number."""
    bought = filled("150.03", basket="b", quantity=100)
    filled("149.94", basket="b", quantity=200, side="SELL", estimated_slippage_bps=1.0)
    working(basket="b", quantity=100, estimated_slippage_bps=None)
    failed("DENIED", basket="b", estimated_slippage_bps=90.0)
    filled("170.00", basket="other")
    CostAnalysis.objects.create(
        order=bought, event_id=1, delay=D(1), trading=D(3), opportunity=D(0), fees=D(1)
    )
    [found] = figures.of(["b", "nobody's"])
    assert (found.orders, found.live, found.denied, found.filled) == (4, 1, 1, 2)
    assert (found.bought, found.sold) == (D("15003"), D("29988"))
    assert found.target == D("15003") + D("29988") + D("15000")
    assert found.percent == 74
    assert found.slippage_bps == D(3 + 12) * 10_000 / D(45_000)
    assert found.estimated_bps == D("2")
    assert (found.shortfall_bps, found.analysed) == (D(5) * 10_000 / D(15_000), 1)


def test_what_is_not_known_of_a_basket_is_not_zero() -> None:
    working(basket="b", arrival_bid=None, arrival_ask=None, estimated_slippage_bps=None)
    [found] = figures.of(["b"])
    assert (found.slippage_bps, found.estimated_bps, found.shortfall_bps) == (None, None, None)
    assert "n/a" in shown(client_of("Viewer"), BASKET, name="b")


def test_orders_in_no_basket_are_no_basket() -> None:
    filled("150.00")
    assert figures.of([""]) == []
    viewer = client_of("Viewer")
    assert "No basket is open, and none is of today." in shown(viewer, BASKETS)
    assert viewer.get(BASKET, {"name": ""}).status_code == 404
    assert viewer.get(BASKET, {"name": "nobody's"}).status_code == 404


def test_baskets_are_listed_by_the_days_of_their_orders() -> None:
    filled("150.00", basket="a & b")
    page = shown(client_of("Viewer"), BASKETS)
    assert "name=a%20%26%20b" in page
    assert "2026-03-02 10:20:00 ET" in page
    viewer = client_of("Trader")
    assert "a &amp; b" in shown(viewer, BASKETS, **{"from": "2026-03-02", "to": "2026-03-02"})
    assert "a &amp; b" not in shown(viewer, BASKETS, **{"from": "2026-02-27", "to": "2026-03-01"})
    wrong = viewer.get(BASKETS, {"from": "2026-03-02", "to": "yesterday"})
    assert wrong.status_code == 400
    assert wrong.context["trouble"].startswith("to: ")


def test_a_basket_s_page_costs_the_same_few_queries_for_many_orders() -> None:
    viewer = client_of("Viewer")
    for _ in range(20):
        filled("150.00", basket="b")
    for path in (BASKETS, BASKET):
        with CaptureQueriesContext(connection) as seen:
            shown(viewer, path, name="b")
        assert len(seen) <= 9, path


def test_a_trader_cancels_all_that_is_open_of_a_basket_with_one_reason() -> None:
    accept(BUY, SELL, basket="b")
    accept(BUY)
    filled("150.00", basket="b")
    trader = client_of("Trader")
    assert f"{ORDERS}control/cancel/?basket=b" in shown(trader, BASKET, name="b")
    page = shown(trader, f"{ORDERS}control/cancel/", basket="b")
    assert "Cancel 2 orders now" in page
    ids = ",".join(str(order.pk) for order in Order.objects.filter(basket="b", status="ACCEPTED"))
    form = {"orders": ids, "back": f"{BASKET}?name=b", "reason": "index change"}
    told = trader.post(f"{ORDERS}control/cancel/", form, follow=True)
    assert told.redirect_chain[-1][0] == f"{BASKET}?name=b"
    assert sorted(Order.objects.values_list("basket", "status")) == [
        ("", "ACCEPTED"),
        ("b", "CANCELLED"),
        ("b", "CANCELLED"),
        ("b", "FILLED"),
    ]
    again = trader.get(f"{ORDERS}control/cancel/", {"basket": "b"}, follow=True)
    assert "No order of the basket b is left to cancel" in again.content.decode()


def test_a_large_basket_is_controlled_so_many_orders_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control_pages, "AT_ONCE", 2)
    accept(BUY, BUY, SELL, basket="b")
    page = shown(client_of("Trader"), f"{ORDERS}control/pause/", basket="b")
    assert "Pause 2 orders now" in page
    assert "pause the basket again for the others" in page


def test_baskets_are_for_those_who_see_orders_and_controls_for_traders() -> None:
    filled("150.00", basket="b")
    working(basket="b")
    nobody, viewer = client_of("Nobody"), client_of("Viewer")
    assert [nobody.get(path, {"name": "b"}).status_code for path in (BASKETS, BASKET)] == [403] * 2
    assert "Cancel all" not in shown(viewer, BASKET, name="b")
    assert viewer.get(f"{ORDERS}control/cancel/", {"basket": "b"}).status_code == 403


def test_an_order_s_page_leads_to_its_basket_and_the_list_is_narrowed_to_it() -> None:
    order = filled("150.00", basket="a & b")
    filled("150.00")
    viewer = client_of("Viewer")
    page = shown(viewer, f"{ORDERS}{order.pk}/change/")
    assert f"{BASKET}?name=a+%26+b" in page
    assert f'{BASKET}?name=a%20%26%20b">Basket a &amp; b</a>' in page
    answer = viewer.get(ORDERS, {"basket": "a & b", "life": "all"})
    assert [row.pk for row in answer.context["cl"].result_list] == [order.pk]
    found = viewer.get(ORDERS, {"q": "a & b"})
    assert [row.pk for row in found.context["cl"].result_list] == [order.pk]


def test_the_list_can_be_taken_along_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "SHOWN", 1)
    accept(BUY, SELL, basket="first")
    accept(BUY, basket="=second()")
    viewer = client_of("Viewer")
    assert shown(viewer, BASKETS).count('href="/admin/baskets/export.csv"') == 1
    answer = viewer.get(f"{BASKETS}export.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(StringIO(answer.content.decode(), newline="")))
    assert [(row["name"], row["orders"], row["live"], row["value"]) for row in rows] == [
        ("'=second()", "1", "1", "0.000000"),
        ("first", "2", "2", "0.000000"),
    ]
    assert rows[0]["created_at"].endswith("+00:00")
    assert viewer.get(f"{BASKETS}export.csv?from=never").status_code == 400
    assert client_of("nobody").get(f"{BASKETS}export.csv").status_code == 403
