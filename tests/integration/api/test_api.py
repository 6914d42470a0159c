"""The API over HTTP requests, on real PostgreSQL and Redis."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from execution import heartbeat
from execution.api.signal_schema import SIGNAL
from execution.domain.field_aliases import ALIASES
from execution.management.roles import ROLES, ensure_roles
from execution.models import Heartbeat, Order, OrderEvent, Slice
from tests.bad_signals import BAD_JSON, BAD_SIGNALS, GOOD
from tests.integration.statements import statements
from tests.stack import empty_redis

ORDERS = "/api/v1/orders/"
SLICED = GOOD | {"algorithm": "TWAP", "window_minutes": 60, "slices": 10}

pytestmark = pytest.mark.django_db


def client_of(*roles: str) -> APIClient:
    ensure_roles()
    user = User.objects.create_user("-".join(["user", *roles]))
    user.groups.set(Group.objects.filter(name__in=roles))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user)}")
    return client


@pytest.fixture
def api() -> APIClient:
    return client_of("Trader", "Risk")


def post(api: APIClient, body: Any, path: str = ORDERS, **headers: str) -> Any:
    return api.post(path, body, format="json", headers=headers)


def stored(api: APIClient, **changes: Any) -> int:
    answer = post(api, SLICED | changes)
    assert answer.status_code == 201, answer.json()
    return answer.json()["id"]


def nothing_stored() -> bool:
    return not any(model.objects.exists() for model in (Order, Slice, OrderEvent))


@pytest.mark.parametrize(
    ("changes", "field"),
    [pytest.param(changes, field, id=word) for word, changes, field in BAD_SIGNALS + BAD_JSON],
)
def test_bad_input_names_the_field_and_stores_nothing(
    api: APIClient, changes: dict[str, Any], field: str
) -> None:
    answer = post(api, GOOD | changes)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert nothing_stored()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        pytest.param("{", "JSON", id="half an object"),
        pytest.param("", "is required", id="nothing"),
        pytest.param("null", "object", id="null"),
        pytest.param('"BUY 100 AAPL"', "object", id="a sentence"),
        pytest.param("[]", "1 to 5,000", id="an empty list"),
        pytest.param("[1]", "must be an object", id="a list of numbers"),
        pytest.param('{"quantity": NaN}', "JSON", id="not a number"),
        pytest.param("[" * 5_000, "JSON", id="deeper than sane"),
        pytest.param(json.dumps([GOOD] * 5_001), "1 to 5,000", id="too many orders"),
    ],
)
def test_a_body_that_is_no_signal(api: APIClient, body: str, word: str) -> None:
    answer = api.post(ORDERS, body, content_type="application/json")
    assert answer.status_code == 400
    assert word in json.dumps(answer.json())
    assert nothing_stored()


def test_only_json_is_read(api: APIClient) -> None:
    assert api.post(ORDERS, GOOD, format="multipart").status_code == 415


def test_a_body_too_large_is_not_read(api: APIClient) -> None:
    answer = api.post(ORDERS, "[" + " " * 9_000_000 + "]", content_type="application/json")
    assert answer.status_code == 413


def test_every_wrong_field_is_named_at_once(api: APIClient) -> None:
    answer = post(api, {"symbol": "aapl", "side": "HOLD", "quantity": 0, "colour": "red"})
    assert set(answer.json()["errors"]) == {"symbol", "side", "quantity", "colour"}


def test_the_documentation_has_every_field_of_a_signal(api: APIClient) -> None:
    refusal = post(api, {"no such field": 1}).json()["errors"]["no such field"][0]
    known = sorted(set(SIGNAL["properties"]) - set(ALIASES))
    assert refusal == f"unknown; known are {', '.join(known)}"


def test_an_order_can_be_entered_by_the_names_that_python_callers_use(api: APIClient) -> None:
    asked = {
        "symbol": "AAPL",
        "action": "BUY",
        "quantity": 100,
        "execution_type": "TWAP",
        "avg_daily_volume": 9_000_000,
        "time_window_minutes": 30,
        "num_slices": 4,
    }
    shown = post(api, asked).json()
    assert (shown["side"], shown["algorithm"], shown["slice_count"]) == ("BUY", "TWAP", 4)
    assert (shown["execution_type"], shown["avg_price"]) == ("TWAP", None)
    assert shown["average_daily_volume"] == 9_000_000


def test_two_names_of_one_field_that_differ_store_nothing(api: APIClient) -> None:
    answer = post(api, GOOD | {"action": "SELL" if GOOD["side"] == "BUY" else "BUY"})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["action"]
    assert not Order.objects.exists()


def test_a_new_order_is_shown_as_stored(api: APIClient) -> None:
    answer = post(api, GOOD | {"client_reference": "one", "decision_price": 150.1})
    shown = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"{ORDERS}{shown['id']}/")
    order = Order.objects.get()
    assert (shown["symbol"], shown["status"], shown["decision_price"]) == (
        "AAPL",
        "ACCEPTED",
        "150.100000",
    )
    assert shown["algorithm"] == order.algorithm == "TWAP"
    assert shown["average_price"] is None
    assert shown["remaining_quantity"] == 100


def test_it_says_at_once_when_nobody_will_work_the_order(api: APIClient) -> None:
    assert "no live worker" in post(api, GOOD).json()["warning"]
    heartbeat.beat(Heartbeat.Kind.WORKER)
    assert "warning" not in post(api, GOOD).json()


def test_a_denied_order_is_stored_with_its_code(api: APIClient) -> None:
    answer = post(api, GOOD | {"quantity": 2_000_000})
    assert answer.status_code == 422
    assert answer.json()["status"] == "DENIED"
    assert answer.json()["status_reason"].startswith("QUANTITY_EXCEEDS_MAX: ")
    assert Order.objects.get().pk == answer.json()["id"]


def test_the_same_reference_is_the_same_order(api: APIClient) -> None:
    first = post(api, GOOD, **{"Idempotency-Key": "abc"})
    again = post(api, GOOD, **{"Idempotency-Key": "abc"})
    in_body = post(api, GOOD | {"client_reference": "abc"})
    assert [first.status_code, again.status_code, in_body.status_code] == [201, 200, 200]
    assert {answer.json()["id"] for answer in (first, again, in_body)} == {Order.objects.get().pk}


@pytest.mark.parametrize(
    ("key", "changes", "field"),
    [
        ("abc", {"client_reference": "xyz"}, "client_reference"),
        ("abc", {"quantity": 7}, "client_reference"),
        ("", {}, "Idempotency-Key"),
        ("two words", {}, "client_reference"),
    ],
)
def test_a_key_that_contradicts(
    api: APIClient, key: str, changes: dict[str, Any], field: str
) -> None:
    post(api, GOOD, **{"Idempotency-Key": "abc"})
    answer = post(api, GOOD | changes, **{"Idempotency-Key": key})
    assert answer.status_code == (409 if "quantity" in changes else 400)
    assert list(answer.json()["errors"]) == [field]
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_key_from_many_at_once_is_one_order() -> None:
    empty_redis()
    api = client_of("Trader")

    def send(_: int) -> Any:
        try:
            return post(api, SLICED, **{"Idempotency-Key": "at-once"})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert {answer.json()["id"] for answer in answers} == {Order.objects.get().pk}
    assert Slice.objects.count() == 10


def test_a_list_is_stored_whole(api: APIClient) -> None:
    batch = [GOOD | {"client_reference": str(number)} for number in range(20)]
    answer = post(api, [*batch, GOOD | {"quantity": 2_000_000}])
    assert answer.status_code == 201
    assert (answer.json()["new"], answer.json()["denied"]) == (21, 1)
    assert Order.objects.count() == 21
    again = post(api, batch)
    assert (again.status_code, again.json()["new"]) == (200, 0)
    twice = post(api, [GOOD | {"client_reference": "twice"}] * 2)
    assert (twice.status_code, twice.json()["new"]) == (201, 1)


def test_a_list_with_one_mistake_is_not_stored_at_all(api: APIClient) -> None:
    answer = post(api, [GOOD, GOOD | {"side": "HOLD"}, GOOD])
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["1.side"]
    assert nothing_stored()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"start_at": "2020-01-02T15:00:00Z"}, "start_at"),
        ({"end_at": "2020-01-02T15:00:00Z"}, "end_at"),
        ({"num_slices": 2, "max_slice": 1}, "num_slices"),
    ],
)
def test_of_a_list_every_order_that_no_plan_fits_is_named_by_its_place(
    api: APIClient, wrong: dict[str, Any], named: str
) -> None:
    worked = GOOD | {"algorithm": "TWAP"}
    answer = post(api, [worked, worked | wrong, worked, worked | wrong])
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [f"1.{named}", f"3.{named}"]
    assert nothing_stored()


def test_a_key_is_for_one_order(api: APIClient) -> None:
    assert post(api, [GOOD], **{"Idempotency-Key": "abc"}).status_code == 400
    assert nothing_stored()


ANY = ("anonymous", "nobody", "Viewer", "Trader", "Risk")
PERMISSIONS = [
    # method, path, and the status for each of the five above; 404 and 400 are past the door.
    ("GET", "orders/", (401, 403, 200, 200, 200)),
    ("POST", "orders/", (401, 403, 403, 400, 403)),
    ("GET", "orders/1/", (401, 403, 404, 404, 404)),
    ("GET", "orders/1/slices/", (401, 403, 404, 404, 404)),
    ("GET", "orders/1/fills/", (401, 403, 404, 404, 404)),
    ("GET", "orders/1/events/", (401, 403, 404, 404, 404)),
    ("POST", "orders/1/cancel/", (401, 403, 403, 404, 404)),
    ("POST", "orders/1/pause/", (401, 403, 403, 404, 404)),
    ("POST", "orders/1/resume/", (401, 403, 403, 404, 404)),
    ("GET", "trading-states/", (401, 403, 200, 200, 200)),
    ("GET", "trading-state-changes/", (401, 403, 200, 200, 200)),
    ("POST", "trading-states/", (401, 403, 403, 403, 400)),
    ("POST", "halt/", (401, 403, 403, 403, 400)),
    ("POST", "resume-trading/", (401, 403, 403, 403, 400)),
    ("DELETE", "orders/1/", (401, 403, 403, 403, 403)),
]


@pytest.mark.parametrize(("method", "path", "expected"), PERMISSIONS)
def test_who_may_do_what(method: str, path: str, expected: tuple[int, ...]) -> None:
    clients = [
        APIClient() if who == "anonymous" else client_of(*([who] if who in ROLES else []))
        for who in ANY
    ]
    statuses = tuple(
        client.generic(method, f"/api/v1/{path}", "{}", "application/json").status_code
        for client in clients
    )
    assert dict(zip(ANY, statuses, strict=True)) == dict(zip(ANY, expected, strict=True))
    assert nothing_stored()


def test_a_password_is_exchanged_for_a_token() -> None:
    User.objects.create_user("ann", password="correct horse")
    client = APIClient()
    right = {"username": "ann", "password": "correct horse"}
    token = client.post("/api/v1/token/", right, format="json").json()["token"]
    wrong = right | {"password": "wrong"}
    assert client.post("/api/v1/token/", wrong, format="json").status_code == 400
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get(ORDERS).status_code == 403


def test_orders_are_filtered(api: APIClient) -> None:
    ours = stored(
        api, symbol="MSFT", decision_price=330, side="SELL", account="fund", strategy="pairs"
    )
    stored(api)
    created = Order.objects.get(pk=ours).created_at
    for query in (
        {"symbol": "MSFT"},
        {"side": "SELL"},
        {"account": "fund"},
        {"strategy": "pairs"},
        {"symbol": "MSFT", "status": ["ACCEPTED", "WORKING"], "live": "true"},
        {"created_before": Order.objects.latest("pk").created_at.isoformat()},
    ):
        found = api.get(ORDERS, query).json()["results"]
        assert [order["id"] for order in found] == [ours], query
    for query in (
        {"status": "FILLED"},
        {"live": "false"},
        {"symbol": "AAAA"},
        {"client_reference": "none"},
        {"symbol": "MSFT", "created_before": created.isoformat()},
    ):
        assert api.get(ORDERS, query).json()["results"] == [], query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"sybmol": "AAPL"}, "sybmol"),
        ({"status": "DONE"}, "status"),
        ({"side": "buy"}, "side"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"symbol": "\0"}, "symbol"),
    ],
)
def test_a_filter_that_means_nothing_is_an_error(
    api: APIClient, query: dict[str, str], field: str
) -> None:
    answer = api.get(ORDERS, query)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_pages_hold_every_order_once(api: APIClient) -> None:
    post(api, [GOOD] * 25)
    assert page_through(api, f"{ORDERS}?limit=10") == [
        *Order.objects.order_by("-pk").values_list("pk", flat=True)
    ]


def page_through(api: APIClient, url: str) -> list[int]:
    found: list[int] = []
    while url:
        page = api.get(url).json()
        found += [row["id"] for row in page["results"]]
        url = page["next"]
    return found


def test_the_detail_holds_the_first_parts_and_where_the_rest_is(api: APIClient) -> None:
    pk = stored(api, quantity=120, slices=120)
    shown = api.get(f"{ORDERS}{pk}/").json()
    part = shown["slices"]
    assert (part["count"], len(part["results"]), part["by_status"]) == (120, 50, {"PLANNED": 120})
    assert [row["sequence"] for row in part["results"]] == list(range(50))
    assert page_through(api, part["url"]) == [
        *Slice.objects.filter(order=pk).order_by("sequence").values_list("pk", flat=True)
    ]
    assert shown["fills"]["count"] == 0
    assert [event["kind"] for event in shown["events"]["results"]] == ["ORDER_ACCEPTED"]
    assert api.get(shown["events"]["url"]).json()["results"] == shown["events"]["results"]


@pytest.mark.parametrize("order_id", ["0", "999999", "9" * 30])
def test_an_order_that_does_not_exist(api: APIClient, order_id: str) -> None:
    for part in ("", "slices/", "fills/", "events/"):
        assert api.get(f"{ORDERS}{order_id}/{part}").status_code == 404
    for control in ("cancel", "pause", "resume"):
        assert post(api, {}, f"{ORDERS}{order_id}/{control}/").status_code == 404


def test_reading_costs_no_query_per_row(api: APIClient) -> None:
    def queries(path: str) -> int:
        return statements(lambda: api.get(path))

    few = stored(api, quantity=100, slices=2)
    before = queries(ORDERS), queries(f"{ORDERS}{few}/"), queries(f"{ORDERS}{few}/slices/")
    post(api, [SLICED] * 30)
    many = stored(api, quantity=100, slices=40)
    after = queries(ORDERS), queries(f"{ORDERS}{many}/"), queries(f"{ORDERS}{many}/slices/")
    assert after == before
