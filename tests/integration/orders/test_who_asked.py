"""Who submitted, changed or stopped an order, and by which way in, is on record."""

import getpass
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from deepstack.config import Config
from execution import context, heartbeat
from execution.broker.order_manager import OrderManager
from execution.entry import acceptance
from execution.models import Heartbeat, Order, OrderEvent, TradingStateChange
from execution.twap import TWAPExecutor

SIGNAL: dict[str, Any] = {"symbol": "AAPL", "side": "BUY", "quantity": 100, "algorithm": "TWAP"}
ORDERS = "/api/v1/orders/"
ME = getpass.getuser()

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(admin_client: Client, admin_user: User) -> Client:
    admin_user.username = "ann"
    admin_user.save()
    admin_client.force_login(admin_user)
    return admin_client


def post(ann: Client, path: str, **body: Any) -> Any:
    answer = ann.post(path, body, content_type="application/json")
    assert answer.status_code in (200, 201, 422), answer.content
    return answer.json()


def told(order: Order, kind: str) -> tuple[str, str]:
    data = OrderEvent.objects.filter(order=order, kind=kind).latest("pk").data
    return data["by"], data["via"]


def recorded(order: Order, kind: str = "ORDER_ACCEPTED") -> tuple[str, str]:
    """What the order's row says, once its first event says the same."""
    assert told(order, kind) == (order.submitted_by, order.submitted_via)
    return order.submitted_by, order.submitted_via


def test_an_order_of_the_api_names_its_user(ann: Client) -> None:
    shown = post(ann, ORDERS, **SIGNAL)
    assert (shown["submitted_by"], shown["submitted_via"]) == ("ann", "API")
    assert recorded(Order.objects.get()) == ("ann", "API")
    explained = StringIO()
    call_command("explain", str(shown["id"]), stdout=explained)
    assert "by ann, via API" in explained.getvalue()
    page = ann.get(f"/admin/execution/order/{shown['id']}/change/").content.decode()
    assert "Submitted by" in page
    assert "ann" in page


def test_a_denied_order_names_its_user_too(ann: Client) -> None:
    post(ann, ORDERS, **SIGNAL | {"quantity": 500_000_000})
    assert recorded(Order.objects.get(), "ORDER_DENIED") == ("ann", "API")


def test_an_order_of_the_command_line_names_the_user_of_the_system() -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)
    words = ["BUY", "100", "AAPL", "--algorithm", "TWAP", "--no-wait"]
    call_command("order", *words, stdout=StringIO())
    assert recorded(Order.objects.get()) == (ME, "CLI")


def test_an_order_of_a_script_names_the_user_of_the_system() -> None:
    assert recorded(acceptance.accept(SIGNAL, context.default())) == (ME, "PYTHON")


@pytest.mark.django_db(transaction=True)
def test_a_coroutine_is_a_script_too() -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)
    executor = TWAPExecutor(OrderManager(config=Config.from_env()))

    async def trade() -> int:
        result = await executor.execute("AAPL", 100, "BUY", wait=False)
        await executor.cancel(result["order_id"])
        return result["order_id"]

    order = Order.objects.get(pk=async_to_sync(trade)())
    assert recorded(order) == (ME, "PYTHON")
    assert told(order, "CANCEL_REQUESTED") == (ME, "PYTHON")


def test_what_is_done_to_an_order_by_the_api_names_the_user(ann: Client) -> None:
    order = acceptance.accept(SIGNAL, context.default())
    post(ann, f"{ORDERS}{order.pk}/amend/", version=1, quantity=200)
    assert told(order, "ORDER_AMENDED") == ("ann", "API")
    post(ann, f"{ORDERS}{order.pk}/pause/")
    assert told(order, "ORDER_STATUS") == ("ann", "API")
    post(ann, f"{ORDERS}{order.pk}/resume/")
    assert told(order, "ORDER_STATUS") == ("ann", "API")
    post(ann, "/api/v1/halt/", scope="SYMBOL", key="AAPL", reason="drill")
    assert told(order, "TRADING_STATE") == ("ann", "API")
    post(ann, f"{ORDERS}{order.pk}/cancel/")
    assert told(order, "CANCEL_REQUESTED") == ("ann", "API")
    assert TradingStateChange.objects.get().changed_via == "API"


def test_what_is_done_in_the_back_office_says_so(ann: Client) -> None:
    order = acceptance.accept(SIGNAL, context.default())
    asked = {"orders": str(order.pk), "reason": "news"}
    ann.post("/admin/execution/order/control/pause/", asked)
    assert told(order, "ORDER_STATUS") == ("ann", "ADMIN")
    changed = {"quantity": "200", "version": "1", "reason": "news", "confirm": "yes"}
    ann.post(f"/admin/execution/order/{order.pk}/amend/", changed)
    assert told(order, "ORDER_AMENDED") == ("ann", "ADMIN")
    form = {"scope": "SYMBOL", "key": "AAPL", "state": "HALTED", "reason": "drill"}
    ann.post("/admin/execution/tradingstate/set/", form)
    assert told(order, "TRADING_STATE") == ("ann", "ADMIN")


def test_what_a_command_does_names_whom_it_was_told() -> None:
    order = acceptance.accept(SIGNAL, context.default())
    call_command("pause", str(order.pk), "--by", "bob", stdout=StringIO())
    assert told(order, "ORDER_STATUS") == ("bob", "CLI")
    call_command("amend", str(order.pk), "--quantity", "200", "--by", "bob", stdout=StringIO())
    assert told(order, "ORDER_AMENDED") == ("bob", "CLI")
    call_command("cancel", str(order.pk), stdout=StringIO())
    assert told(order, "CANCEL_REQUESTED") == (ME, "CLI")
