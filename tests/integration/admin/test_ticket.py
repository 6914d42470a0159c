"""The order ticket: priced without a trace, sent once, refused in the words typed."""

from typing import Any

import pytest

from execution.models import Order
from tests.integration.admin.test_admin import ORDERS, client_of

pytestmark = pytest.mark.django_db

TICKET = f"{ORDERS}new/"
TYPED = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": "400",
    "algorithm": "TWAP",
    "slices": "4",
    "window_minutes": "60",
    "ticket": "ticket-1",
}


def post(role: str = "Trader", address: str = TICKET, **changes: Any) -> Any:
    return client_of(role).post(address, TYPED | changes)


def test_a_ticket_is_priced_every_way_and_nothing_is_stored() -> None:
    page = post(address=f"{TICKET}?preview").content.decode()
    assert "TWAP (chosen)" in page
    assert "BUY 1,400 AAPL" in post(address=f"{TICKET}?preview", quantity=1400).content.decode()
    assert all(name in page for name in ("VWAP", "POV", "IS", "MARKET", "LIMIT"))
    assert not Order.objects.exists()


def test_a_sent_ticket_is_an_order_of_its_user_by_this_door() -> None:
    answer = post()
    order = Order.objects.get()
    assert answer.url == f"{ORDERS}{order.pk}/change/"
    assert (order.symbol, order.quantity, order.slice_count) == ("AAPL", 400, 4)
    assert (order.submitted_by, order.submitted_via) == ("a-Trader", "ADMIN")


def test_a_ticket_sent_twice_is_one_order() -> None:
    trader = client_of("Trader")
    assert trader.post(TICKET, TYPED).url == trader.post(TICKET, TYPED).url
    assert Order.objects.count() == 1


def test_a_ticket_that_was_sent_and_changed_since_is_another_order_if_sent_again() -> None:
    trader = client_of("Trader")
    trader.post(TICKET, TYPED | {"decision_price": "1"})  # denied: far off the market
    mended = TYPED | {"quantity": "300"}
    page = trader.post(TICKET, mended)
    words = " ".join(page.content.decode().split())
    assert "Nothing was sent: this ticket belongs to order" in words
    assert "quantity was 400, is 300" in words
    assert Order.objects.count() == 1
    again = mended | {"ticket": page.context["form"]["ticket"].value()}
    for _ in range(2):
        assert trader.post(TICKET, again).status_code == 302
    assert [(o.status, o.quantity) for o in Order.objects.order_by("pk")] == [
        ("DENIED", 400),
        ("ACCEPTED", 300),
    ]


def test_a_reference_that_was_typed_for_other_terms_is_named_beside_its_field() -> None:
    post(client_reference="mine")
    page = post(client_reference="mine", quantity="300")
    assert "belongs to order" in str(page.context["form"]["client_reference"].errors)


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("quantity", "4OO", "got &#x27;4OO&#x27;"),
        ("quantity", "", "is required"),
        ("side", "", "is required"),
        ("symbol", "", "is required"),
        ("slices", "0", "a whole number from 1"),
        ("limit_price", "-3", "a price above 0"),
        ("residual", "HOLD", "got &#x27;HOLD&#x27;"),
    ],
)
def test_what_cannot_be_read_stands_beside_its_field(field: str, typed: str, said: str) -> None:
    answer = post(**{field: typed})
    assert said in str(answer.context["form"][field].errors)
    priced = post("superuser", f"{TICKET}?preview", **{field: typed})
    assert said in priced.content.decode()
    assert not Order.objects.exists()


@pytest.mark.parametrize("role", ["Viewer", "Risk", "nobody"])
@pytest.mark.parametrize("address", [TICKET, f"{TICKET}?preview"])
def test_only_who_may_submit_has_a_ticket(role: str, address: str) -> None:
    assert post(role, address).status_code == 403
    assert not Order.objects.exists()
