"""Cancel, pause, resume and halt over HTTP."""

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from execution.models import Order, OrderEvent, TradingState, TradingStateChange
from tests.bad_signals import GOOD
from tests.integration.api.test_api import ORDERS, api, post, stored

__all__ = ["api"]

pytestmark = pytest.mark.django_db


def test_cancel_may_be_repeated(api: APIClient) -> None:
    pk = stored(api)
    answers = [post(api, {"reason": "enough"}, f"{ORDERS}{pk}/cancel/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert {answer.json()["status"] for answer in answers} == {"CANCELLED"}
    assert answers[0].json()["unconfirmed_children"] == 0
    asked = OrderEvent.objects.get(order=pk, kind="CANCEL_REQUESTED")
    assert asked.data == {"by": "user-Trader-Risk", "via": "API", "reason": "enough"}


def test_a_cancel_of_a_filled_order_says_so(api: APIClient) -> None:
    pk = stored(api)
    Order.objects.filter(pk=pk).update(status="FILLED", filled_quantity=F("quantity"))
    answer = post(api, {}, f"{ORDERS}{pk}/cancel/")
    assert answer.status_code == 409
    assert answer.json()["detail"] == f"order {pk} is FILLED; nothing is left to cancel"


def test_pause_and_resume(api: APIClient) -> None:
    pk = stored(api)
    for control, status in (
        ("pause", "PAUSED"),
        ("pause", "PAUSED"),
        ("resume", "ACCEPTED"),
        ("resume", "ACCEPTED"),
    ):
        answer = post(api, {}, f"{ORDERS}{pk}/{control}/")
        assert (answer.status_code, answer.json()["status"]) == (200, status)


@pytest.mark.parametrize("control", ["pause", "resume"])
def test_what_the_status_does_not_allow_says_why(api: APIClient, control: str) -> None:
    pk = stored(api)
    post(api, {}, f"{ORDERS}{pk}/cancel/")
    answer = post(api, {}, f"{ORDERS}{pk}/{control}/")
    assert answer.status_code == 409
    assert "CANCELLED" in answer.json()["detail"]


def test_a_control_refuses_what_it_does_not_know(api: APIClient) -> None:
    pk = stored(api)
    for body, field in (({"resaon": "typo"}, "resaon"), ({"reason": "x" * 301}, "reason")):
        answer = post(api, body, f"{ORDERS}{pk}/cancel/")
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert Order.objects.get(pk=pk).status == "ACCEPTED"


def test_a_halt_denies_and_a_resume_lets_trade(api: APIClient) -> None:
    pk = stored(api)
    halt = {"scope": "SYMBOL", "key": "AAPL", "reason": "news"}
    report = post(api, halt, "/api/v1/halt/").json()
    assert report["quiet"] is True
    assert report["orders"] == [{"order_id": pk, "unconfirmed": 0}]
    assert report["state"]["changed_by"] == "user-Trader-Risk"
    denied = post(api, GOOD)
    assert denied.status_code == 422
    assert denied.json()["status_reason"].startswith("TRADING_HALTED")
    assert post(api, GOOD | {"symbol": "MSFT", "decision_price": 330}).status_code == 201

    resumed = post(api, halt | {"reason": "calm again"}, "/api/v1/resume-trading/")
    assert resumed.json()["state"]["state"] == "ACTIVE"
    assert post(api, GOOD).status_code == 201
    changes = TradingStateChange.objects.order_by("pk").values_list("before", "after", "reason")
    assert list(changes) == [("ACTIVE", "HALTED", "news"), ("HALTED", "ACTIVE", "calm again")]
    told = OrderEvent.objects.filter(order=pk, kind="TRADING_STATE").order_by("pk")
    assert [event.data["state"] for event in told] == ["HALTED", "ACTIVE"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "SYMBOL", "key": "AAPL"}, "reason"),
        ({"scope": "SYMBOL", "key": "AAPL", "reason": "  "}, "reason"),
        ({"scope": "PLANET", "key": "earth", "reason": "r"}, "scope"),
        ({"scope": "SYMBOL", "reason": "r"}, "key"),
        ({"scope": "SYMBOL", "key": "aapl", "reason": "r"}, "key"),
        ({"scope": "SYSTEM", "key": "AAPL", "reason": "r"}, "key"),
        ({"scope": "SYSTEM", "reason": "r", "by": "somebody else"}, "by"),
    ],
)
def test_a_halt_that_would_halt_nothing_is_an_error(
    api: APIClient, body: dict[str, str], field: str
) -> None:
    answer = post(api, body, "/api/v1/halt/")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not TradingState.objects.exists()
    assert not TradingStateChange.objects.exists()


def test_a_state_can_be_set_by_name(api: APIClient) -> None:
    body = {"scope": "ACCOUNT", "key": "fund", "state": "REDUCING", "reason": "limit near"}
    assert post(api, body, "/api/v1/trading-states/").json()["state"]["state"] == "REDUCING"
    listed = api.get("/api/v1/trading-states/", {"state": "REDUCING"}).json()["results"]
    assert [(row["scope"], row["key"]) for row in listed] == [("ACCOUNT", "fund")]


def test_a_resume_says_what_still_holds_the_orders(api: APIClient) -> None:
    stored(api)
    held = {"reason": "news", "key": "", "scope": "SYSTEM"}
    aapl, desk = held | {"scope": "SYMBOL", "key": "AAPL"}, held | {"scope": "ACCOUNT"}
    for body in (held, aapl, desk | {"key": "default"}):
        assert post(api, body, "/api/v1/halt/").json()["warning"] == ""

    def warned(body: dict[str, str]) -> str:
        said: str = post(api, body, "/api/v1/resume-trading/").json()["warning"]
        return said

    assert warned(aapl) == "still in force: SYSTEM HALTED, ACCOUNT default HALTED"
    assert warned(held) == "still in force: ACCOUNT default HALTED"
    assert warned(desk | {"key": "default"}) == ""


def test_a_state_that_was_set_under_an_older_rule_can_be_lifted(api: APIClient) -> None:
    TradingState.objects.create(scope="SYMBOL", key="BRK-B", state="HALTED", changed_by="risk")
    body = {"scope": "SYMBOL", "key": "BRK-B", "reason": "sorted out"}
    assert post(api, body, "/api/v1/resume-trading/").status_code == 200
    assert post(api, body | {"key": "BF-B"}, "/api/v1/halt/").status_code == 400


@pytest.mark.parametrize("path", ["halt", "resume-trading"])
def test_a_halt_of_what_no_order_has_ever_had_asks_about_the_spelling(
    api: APIClient, path: str
) -> None:
    stored(api)
    for scope, key, warned in (
        ("SYMBOL", "AAPL", False),
        ("SYMBOL", "APPL", True),
        ("ACCOUNT", "default", False),
        ("ACCOUNT", "defualt", True),
        ("SYSTEM", "", False),
    ):
        body = {"scope": scope, "key": key, "reason": "news"}
        told = post(api, body, f"/api/v1/{path}/").json()["warning"]
        assert told == (
            f"no order has ever had the {scope.lower()} '{key}': check the spelling"
            if warned
            else ""
        )


def test_a_reason_is_one_line_wherever_it_is_read(api: APIClient) -> None:
    pk = stored(api)
    post(api, {"reason": "wait\n\x1b[2Jorder FILLED\u202e"}, f"{ORDERS}{pk}/pause/")
    assert Order.objects.get(pk=pk).status_reason == "wait  [2Jorder FILLED"
