"""Cancel, pause, resume and amend in the back office: shown first, and with a reason."""

from typing import Any

import pytest
from django.test import Client

from execution.domain.lifecycle import SLICE_CLAIMABLE, SliceStatus
from execution.models import Order
from tests.integration.admin.test_admin import ORDERS, accept, client_of
from tests.integration.order_steps import claim, new_order, receive, report

pytestmark = pytest.mark.django_db

CONTROLS = ("cancel", "pause", "resume")


def address(control: str) -> str:
    return f"{ORDERS}control/{control}/"


def do(client: Client, control: str, *orders: Order, reason: str = "news") -> str:
    ids = ",".join(str(order.pk) for order in orders)
    form = {"orders": ids, "reason": reason}
    return client.post(address(control), form, follow=True).content.decode()


def with_child_at_the_broker() -> Order:
    """1,000 shares in 5 slices, 200 of them with the broker."""
    order = new_order()
    intent = claim(order.slices.get(sequence=0))
    assert intent is not None
    receive(intent, report(intent, SliceStatus.WORKING))
    return order


def status_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


def test_an_order_page_leads_to_each_control_and_does_nothing_by_itself() -> None:
    order, trader = accept(), client_of("Trader")
    page = f"{ORDERS}{order.pk}/change/"
    for control, status in (("pause", "PAUSED"), ("resume", "ACCEPTED"), ("cancel", "CANCELLED")):
        link = f"{address(control)}?orders={order.pk}"
        assert link in trader.get(page).content.decode()
        before = order.events.count()
        assert trader.get(link).status_code == 200
        assert order.events.count() == before
        assert f"Order {order.pk} is {status}" in do(trader, control, order)
    assert address("cancel") not in trader.get(page).content.decode()


def test_the_page_says_what_will_be_stopped() -> None:
    order = with_child_at_the_broker()
    page = client_of("Trader").get(f"{address('cancel')}?orders={order.pk}").content.decode()
    assert "1 order, 1,000 open shares, 1 child order at the broker with 200 shares." in page
    assert "cannot be resumed" in page


def test_what_is_not_confirmed_as_ended_is_said() -> None:
    order = with_child_at_the_broker()
    told = do(client_of("Trader"), "cancel", order)
    assert f"Order {order.pk} is CANCELLING, children not confirmed as ended: 1" in told


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
@pytest.mark.parametrize("control", CONTROLS)
def test_nothing_is_done_without_a_reason(control: str, reason: str) -> None:
    order, trader = accept(), client_of("Trader")
    if control == "resume":
        do(trader, "pause", order)
    before = status_of(order)
    assert f"Order {order.pk} is" not in do(trader, control, order, reason=reason)
    assert status_of(order) == before


def test_who_and_why_stay_on_record() -> None:
    order = accept()
    do(client_of("Trader"), "cancel", order, reason="wrong side")
    asked = order.events.get(kind="CANCEL_REQUESTED").data
    assert (asked["by"], asked["via"], asked["reason"]) == ("a-Trader", "ADMIN", "wrong side")
    assert Order.objects.get(pk=order.pk).status_reason.endswith("wrong side")


@pytest.mark.parametrize("control", ["cancel", "pause"])
def test_the_same_form_sent_twice_does_it_once(control: str) -> None:
    order, trader = accept(), client_of("Trader")
    do(trader, control, order)
    before = order.events.count()
    assert f"Order {order.pk} is {status_of(order)}" in do(trader, control, order)
    assert order.events.count() == before


@pytest.mark.parametrize(
    ("action", "control", "status"),
    [("cancel_orders", "cancel", "CANCELLED"), ("pause_orders", "pause", "PAUSED")],
)
def test_chosen_orders_are_controlled_after_a_reason(
    action: str, control: str, status: str
) -> None:
    chosen, other, trader = [accept(), accept()], accept(), client_of("Trader")
    data = {"action": action, "_selected_action": [order.pk for order in chosen]}
    page = trader.post(f"{ORDERS}?symbol=AAPL", data)
    assert "2 orders, 200 open shares, 0 child orders at the broker." in page.content.decode()
    assert {status_of(order) for order in chosen} == {"ACCEPTED"}
    told = do(trader, control, *chosen)
    assert f"Orders {chosen[0].pk}, {chosen[1].pk} are {status}" in told
    assert {status_of(order) for order in chosen} == {status}
    assert status_of(other) == "ACCEPTED"


def test_the_way_back_leads_to_the_list_as_it_was_and_to_no_other_site() -> None:
    order, trader = accept(), client_of("Trader")
    form = {"orders": str(order.pk), "reason": "news"}
    there = trader.post(address("pause"), form | {"back": f"{ORDERS}?life=live"})
    assert there.url == f"{ORDERS}?life=live"
    elsewhere = trader.post(address("pause"), form | {"back": "https://example.com/"})
    assert elsewhere.url == f"{ORDERS}{order.pk}/change/"


def test_an_order_that_cannot_be_paused_says_so_and_the_others_are() -> None:
    ended, live, trader = accept(), accept(), client_of("Trader")
    do(trader, "cancel", ended)
    asked = trader.get(f"{address('pause')}?orders={ended.pk},{live.pk}").content.decode()
    assert "1 order, 100 open shares" in asked
    told = do(trader, "pause", ended, live)
    assert f"order {ended.pk} is CANCELLED; only a live one can be paused" in told
    assert f"Order {live.pk} is PAUSED" in told


@pytest.mark.parametrize("ids", ["", "x", "1,,2", "9" * 19, "-1", "99999999"])
def test_orders_that_do_not_exist_are_not_found(ids: str) -> None:
    assert client_of("Trader").get(address("cancel"), {"orders": ids}).status_code == 404


def test_too_many_orders_are_not_cancelled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.admin.control_pages.AT_ONCE", 1)
    chosen = [accept(), accept()]
    data = {"action": "cancel_orders", "_selected_action": [order.pk for order in chosen]}
    told = client_of("Trader").post(ORDERS, data, follow=True).content.decode()
    assert "at most 1 orders at a time" in told
    assert {status_of(order) for order in chosen} == {"ACCEPTED"}


def test_a_viewer_controls_nothing() -> None:
    order, viewer = accept(), client_of("Viewer")
    viewer.post(ORDERS, {"action": "cancel_orders", "_selected_action": [order.pk]})
    for control in CONTROLS:
        form = {"orders": str(order.pk), "reason": "news"}
        assert viewer.post(address(control), form).status_code == 403
        assert viewer.get(address(control), form).status_code == 403
    assert viewer.get(f"{ORDERS}{order.pk}/amend/").status_code == 403
    assert viewer.post(f"{ORDERS}{order.pk}/amend/", terms(quantity="200")).status_code == 403
    page = viewer.get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert "ds-control" not in page
    assert status_of(order) == "ACCEPTED"


def terms(**typed: str) -> dict[str, str]:
    return {"version": "1", "reason": "more news", **typed}


def amend(client: Client, order: Order, *, follow: bool = True, **typed: str) -> Any:
    return client.post(f"{ORDERS}{order.pk}/amend/", terms(**typed), follow=follow)


def unsent(order: Order) -> int:
    parts = order.slices.filter(status__in=SLICE_CLAIMABLE)
    return sum(part.planned_quantity for part in parts)


def test_the_effect_of_an_amendment_is_shown_and_nothing_changes() -> None:
    order = with_child_at_the_broker()
    page = amend(client_of("Trader"), order, quantity="2000", end_at="", limit_price="")
    shown = " ".join(page.content.decode().split())
    assert "0 shares filled and 200 shares working stay as they are" in shown
    for row in (
        "Quantity</th><td>1,000</td><td>2,000",
        "Shares still to be sent</th><td>800</td><td>1,800",
    ):
        assert row in shown
    assert "Reason: more news" in shown
    assert Order.objects.get(pk=order.pk).version == 1


def test_what_was_shown_is_what_confirming_does() -> None:
    order, trader = with_child_at_the_broker(), client_of("Trader")
    page = trader.get(f"{ORDERS}{order.pk}/amend/")
    asked = page.context["form"].initial | {"quantity": "2000", "reason": "grew"}
    shown = trader.post(f"{ORDERS}{order.pk}/amend/", asked)
    kept = {field.html_name: field.value() or "" for field in shown.context["form"]}
    assert (kept["end_at"], kept["limit_price"]) == ("", "")  # what stays is not written again
    told = amend(trader, order, **kept, confirm="yes").content.decode()
    assert f"Order {order.pk} is amended: 2,000 shares" in told
    assert unsent(order) == 1_800
    event = order.events.get(kind="ORDER_AMENDED").data
    assert (event["by"], event["via"], event["reason"]) == ("a-Trader", "ADMIN", "grew")
    again = amend(trader, order, **kept, confirm="yes").content.decode()
    assert "Version 2" in again
    assert order.events.filter(kind="ORDER_AMENDED").count() == 1


@pytest.mark.parametrize("step", [{}, {"confirm": "yes"}], ids=["shown", "confirmed"])
def test_a_form_of_an_order_that_has_changed_since_is_refused(step: dict[str, str]) -> None:
    order, trader = accept(), client_of("Trader")
    amend(trader, order, quantity="300", confirm="yes")
    told = amend(trader, order, quantity="500", **step).content.decode()
    assert "Nothing was amended" in told
    assert 'value="300"' in told
    assert Order.objects.get(pk=order.pk).quantity == 300


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"quantity": "0"}, "a whole number from 1"),
        ({"quantity": "5O0"}, "got &#x27;5O0&#x27;"),
        ({"quantity": "199"}, "must be at least 200, which is filled or working"),
        ({"limit_price": "0"}, "a price above 0"),
        ({"end_at": "2020-01-02 10:00"}, "must lie ahead of"),
        ({"end_at": "tomorrow"}, "Enter a valid date/time"),
        ({}, "one of them is required"),
        ({"quantity": "500", "reason": " "}, "This field is required"),
        ({"quantity": "500", "version": "x"}, "Enter a whole number"),
        ({"quantity": "99999999"}, "would be denied"),
    ],
)
def test_an_amendment_that_is_refused_says_why(typed: dict[str, str], said: str) -> None:
    order, trader = with_child_at_the_broker(), client_of("Trader")
    for step in ({}, {"confirm": "yes"}):
        assert said in amend(trader, order, **typed | step).content.decode()
    assert Order.objects.get(pk=order.pk).version == 1


def test_an_ended_order_is_not_amended() -> None:
    order, trader = accept(), client_of("Trader")
    do(trader, "cancel", order)
    told = amend(trader, order, quantity="300", confirm="yes").content.decode()
    assert f"order {order.pk} is CANCELLED; only a live one can be amended" in told


def test_the_end_is_typed_in_exchange_time() -> None:
    order, trader = accept(), client_of("Trader")
    page = trader.get(f"{ORDERS}{order.pk}/amend/")
    end = page.context["form"].initial["end_at"]
    assert f"{end} ET" in trader.get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert "exchange time (ET, New York)" in page.content.decode()
