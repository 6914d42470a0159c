"""A file of orders in the back office: shown without a trace, sent whole or not at all."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from execution.models import Order
from tests.integration.admin.test_admin import ORDERS, client_of

pytestmark = pytest.mark.django_db

UPLOAD = f"{ORDERS}upload/"
HEAD = "symbol,side,quantity,algorithm,slices,window_minutes\n"
GOOD = f"{HEAD}AAPL,BUY,400,TWAP,4,60\nKO,SELL,900,TWAP,3,60\n"


def upload(client: Client, text: str) -> Any:
    return client.post(UPLOAD, {"file": SimpleUploadedFile("orders.csv", text.encode())})


def words(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def kept(answer: Any) -> dict[str, str]:
    """What the page sends back when its orders are sent."""
    return {field.html_name: field.value() for field in answer.context["kept"]}


def test_a_file_is_shown_and_nothing_is_stored() -> None:
    page = words(upload(client_of("Trader"), GOOD))
    assert "2 orders, BUY $" in page
    assert "SELL $" in page
    assert "BUY 400 AAPL" in page
    assert "Send 2 orders" in page
    assert not Order.objects.exists()


def test_what_was_shown_is_sent_once_however_often_it_is_sent() -> None:
    trader = client_of("Trader")
    shown = upload(trader, GOOD)
    for _ in range(2):
        told = trader.post(UPLOAD, kept(shown), follow=True)
        assert "2 of 2 orders accepted" in words(told)
    assert [(o.symbol, o.quantity) for o in Order.objects.order_by("pk")] == [
        ("AAPL", 400),
        ("KO", 900),
    ]
    assert {(o.submitted_by, o.submitted_via) for o in Order.objects.all()} == {
        ("a-Trader", "ADMIN")
    }
    assert told.context["basket"].orders == 2, "the way back shows these orders"


def test_the_orders_of_a_file_are_a_basket_of_the_name_that_was_typed() -> None:
    trader = client_of("Trader")
    file = SimpleUploadedFile("orders.csv", GOOD.encode())
    shown = trader.post(UPLOAD, {"file": file, "basket": " monday rebalance "})
    assert "into the basket <b>monday rebalance</b>" in words(shown)
    told = trader.post(UPLOAD, kept(shown), follow=True)
    assert "Basket monday rebalance" in words(told)
    assert {order.basket for order in Order.objects.all()} == {"monday rebalance"}


def test_a_basket_of_no_possible_name_is_refused_before_the_file_is_read() -> None:
    file = SimpleUploadedFile("orders.csv", GOOD.encode())
    page = words(client_of("Trader").post(UPLOAD, {"file": file, "basket": "a\nb"}))
    assert "must be 1 to 64 letters, digits" in page
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{GOOD}MSFT,BUY,1O,TWAP,1,60\n", "<b>line 4, quantity</b> must be a whole number"),
        (f"{HEAD}MSFT,HOLD,10,TWAP,1,60\n", "<b>line 2, side</b> must be one of BUY, SELL"),
        (f"{GOOD}MSFT,BUY\n", "<b>line 4</b> has 2 cells"),
        ("symbol,side\nAAPL,BUY\n", "<b>column quantity</b> is missing"),
        (
            "symbol,side,quantity,client_reference\nAAPL,BUY,1,r\nAAPL,BUY,2,r\n",
            "<b>line 3, client_reference</b>",
        ),
        (
            "symbol,side,quantity,start_at\nAAPL,BUY,1,\nAAPL,BUY,2,2020-01-02T10:00:00-05:00\n",
            "<b>line 3, start_at</b> 2020-01-02 10:00:00 ET is past",
        ),
        (
            "symbol,side,quantity,algorithm,num_slices,max_slice\nKO,BUY,1,TWAP,,\nKO,BUY,9,TWAP,2,1\n",
            "<b>line 3, num_slices</b> 9 shares cannot be cut",
        ),
    ],
)
def test_one_wrong_line_keeps_all_others_out(text: str, said: str) -> None:
    trader = client_of("Trader")
    assert said in words(upload(trader, text))
    sent = trader.post(UPLOAD, {"text": text, "upload": "list-0123456789ab"})
    assert said in words(sent)
    assert not Order.objects.exists()


def test_an_order_that_would_be_denied_is_shown_first_with_its_reason() -> None:
    trader = client_of("Trader")
    shown = upload(trader, f"{GOOD}MSFT,BUY,900000000,TWAP,1,60\n")
    page = words(shown)
    assert "1 would be denied" in page
    assert page.index("QUANTITY_EXCEEDS_MAX") < page.index("BUY 400 AAPL")
    told = words(trader.post(UPLOAD, kept(shown), follow=True))
    assert "2 of 3 orders accepted" in told
    assert "1 of 3 orders denied" in told


def test_a_file_of_orders_is_for_those_who_may_submit() -> None:
    risk = client_of("Risk")
    assert risk.get(UPLOAD).status_code == 403
    assert upload(risk, GOOD).status_code == 403
    assert risk.post(UPLOAD, {"text": GOOD, "upload": "list-0123456789ab"}).status_code == 403
    assert "From a file" not in risk.get(ORDERS).content.decode()
    assert "From a file" in client_of("Trader").get(ORDERS).content.decode()


@pytest.mark.parametrize("form", [{}, {"text": "", "upload": "x"}, {"text": GOOD, "upload": "x"}])
def test_a_form_that_is_not_ours_stores_nothing(form: dict[str, str]) -> None:
    assert client_of("Trader").post(UPLOAD, form).status_code == 200
    assert not Order.objects.exists()
