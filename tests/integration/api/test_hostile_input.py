"""Whatever is sent to /api/ or /admin/, the answer is no failure of ours; below /api/ no page."""

import base64
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from execution.models import Order
from tests.bad_signals import GOOD

V1 = "/api/v1/"
ORDERS = f"{V1}orders/"
PROBLEM = "application/problem+json"

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


@pytest.fixture
def api() -> APIClient:
    user = User.objects.create_superuser("root", password="x")
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user)}")
    return client


@pytest.fixture
def admin(admin_client: Client) -> Client:
    admin_client.raise_request_exception = False
    return admin_client


def refused(answer: Any, *statuses: int) -> dict[str, Any]:
    """The problem that was answered, as small and as plain as RFC 9457 wants it."""
    assert answer.status_code in statuses, (answer.status_code, answer.content[:300])
    assert answer.headers["Content-Type"] == PROBLEM
    assert len(answer.content) < 30_000
    told: dict[str, Any] = json.loads(answer.content.decode())
    assert told["status"] == answer.status_code
    assert {"type", "title", "detail"} <= told.keys()
    return told


def raw(api: APIClient, text: str | bytes, path: str = ORDERS, **more: Any) -> Any:
    return api.generic("POST", path, text, "application/json", **more)


HUGE = 10**400
VALUES: list[tuple[str, Any]] = [
    *((name, HUGE) for name in ("quantity", "window_minutes", "max_participation", "slices")),
    *((name, HUGE) for name in ("vwap_deviation_threshold", "residual_minutes", "lot_size")),
    *((name, -HUGE) for name in ("aggressive_after", "limit_price", "average_daily_volume")),
    *((name, "0001-01-01T00:00:00+14:00") for name in ("start_at", "end_at")),
    *((name, "9999-12-31T23:59:59-14:00") for name in ("start_at", "end_at")),
    *((name, "\ud800") for name in ("symbol", "side", "account", "strategy", "client_reference")),
    *((name, "\0") for name in ("symbol", "urgency", "native", "start_at", "decision_price")),
    *((name, [[[]]]) for name in ("side", "algorithm", "residual", "native_parameters")),
    *((name, {"a": 1}) for name in ("symbol", "quantity", "native", "residual_ignores_cap")),
    ("client_reference", "x" * 9_000),
]


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_a_value_beyond_reason_is_refused_by_name(api: APIClient, name: str, value: Any) -> None:
    body = json.dumps(GOOD | {"residual": "FORCE"} | {name: value})
    for path in (ORDERS, f"{ORDERS}preview/"):
        told = refused(raw(api, body, path), 400)
        assert name in told["errors"]
        assert len(json.dumps(told)) < 3_000
    assert not Order.objects.exists()


@pytest.mark.parametrize("name", ["\ud800", "\0", "", "x" * 9_000, "\u202e"])
def test_a_name_beyond_reason_is_shown_in_plain_characters(api: APIClient, name: str) -> None:
    told = refused(raw(api, json.dumps(GOOD | {name: 1})), 400)
    assert len(told["errors"]) == 1
    assert all(character.isprintable() for character in "".join(told["errors"]))


@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param("[" * 100_000, 400, id="deep lists"),
        pytest.param('{"a":' * 2_000, 400, id="deep objects"),
        pytest.param('{"quantity": ' + "9" * 10_000 + "}", 400, id="ten thousand digits"),
        pytest.param('{"quantity": 1e999999}', 400, id="an endless power"),
        pytest.param(b'{"symbol": "\xff\xfe"}', 400, id="bad UTF-8"),
        pytest.param(b'{"symbol": "\xed\xa0\x80"}', 400, id="half a character in UTF-8"),
        pytest.param(b"\x00\x00", 400, id="NUL"),
        pytest.param(json.dumps({f"k{n}": 1 for n in range(100_000)}), 413, id="unknown keys"),
        pytest.param(json.dumps({"symbol": "A" * 17_000}), 413, id="an order of 17 kB"),
        pytest.param("[" + " " * 5_000_000 + "]", 413, id="a list of 5 MB"),
    ],
)
def test_a_body_beyond_reason(api: APIClient, text: str | bytes, status: int) -> None:
    for path in (ORDERS, f"{ORDERS}preview/", f"{V1}halt/", f"{ORDERS}1/amend/", f"{V1}token/"):
        refused(raw(api, text, path), 400, 404, 413)
    refused(raw(api, text), status)


def test_a_number_of_very_many_digits_is_refused_in_our_words(api: APIClient) -> None:
    told = refused(raw(api, '{"quantity": ' + "9" * 5_000 + "}"), 400)
    assert told["detail"].endswith("a number has 5,000 digits, at most 4,000 are read")


def test_of_many_wrong_fields_twenty_are_named(api: APIClient) -> None:
    told = refused(raw(api, json.dumps(GOOD | {f"k{n:04}": 1 for n in range(1_000)})), 400)
    assert len(told["errors"]) == 20
    listed = refused(raw(api, json.dumps([{f"k{n}": 1 for n in range(50)}] * 4_000)), 400)
    assert len(listed["errors"]) == 20


@pytest.mark.parametrize("query", ["p=x", "p=", "p=NaN", "p=\0", "p=1e5", "p=" + "9" * 30, "o=-1"])
def test_a_cursor_that_is_not_ours_is_refused(api: APIClient, query: str) -> None:
    cursor = base64.b64encode(query.encode()).decode()
    lists = (
        "orders",
        "alerts",
        "breaker-trips",
        "summaries",
        "costs",
        "trading-states",
        "trading-state-changes",
    )
    for name in lists:
        told = refused(api.get(f"{V1}{name}/", {"cursor": cursor}), 400)
        assert list(told["errors"]) == ["cursor"]


@pytest.mark.parametrize(
    "query",
    [
        *(f"limit={value}" for value in ("0", "-1", "501", "x", "9" * 50, "%00", "\u0661")),
        "cursor=%FF",
        "cursor=A",
        "symbol=%00",
        "symbol=aapl",
        "created_after=9999-99-99",
        "created_after=2026-11-27",
        "created_after=2026-11-27T10:00:00",
        "created_after=%2500",
        "created_before=100%25",
        "live=maybe",
        "no_such_filter=1",
        "symbol=AAPL&symbol=MSFT",
        "account=one&account=two",
        "limit=5&limit=6",
        "%00=1",
    ],
)
def test_a_query_that_means_nothing_is_refused(api: APIClient, query: str) -> None:
    assert refused(api.get(f"{ORDERS}?{query}"), 400)["errors"]


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("summaries/9999-12-31/", (400,)),
        ("summaries/0001-01-01/", (400,)),
        ("summaries/%00/", (400,)),
        ("quality/?date=9999-12-31", (400,)),
        ("quality/?date=%00", (400,)),
        ("quality/?account=" + "x" * 33, (400,)),
        ("alerts/?order=" + "9" * 40, (400,)),
        ("quality/?day=2026-03-02", (400,)),
        ("dashboard/?date=2026-03-02", (400,)),
        ("dashboard/?account=main&account=second", (400,)),
        ("summaries/2026-03-02/?date=2026-03-01", (400,)),
        ("alerts/?symbol=aapl", (400,)),
        ("costs/?symbol=aapl", (400,)),
        ("alerts/?order=%00", (400,)),
        ("alerts/?colour=red", (400,)),
        ("alerts/?since=0001-01-01T00:00:00%2B14:00", (200, 400)),
        ("orders/?created_after=9999-12-31T23:59:59-14:00", (200, 400)),
        ("orders/?created_before=0001-01-01T00:00:00%2B14:00", (200, 400)),
        ("orders/?" + "a=1&" * 1_900, (400,)),
        ("orders/?symbol=" + "x" * 9_000, (414,)),
        ("orders/99999999999999999999/", (404,)),
        ("orders/" + "9" * 5_000 + "/", (404,)),
        ("orders/99999999999999999999/slices/", (404,)),
        ("alerts/99999999999999999999/", (404,)),
        ("alerts/%00/", (404,)),
        ("costs/x/", (404,)),
        ("orders", (404,)),
        ("nothing/", (404,)),
        ("%ff%fe/", (404,)),
        ("orders/?format=html", (404,)),
        ("orders/%2e%2e/", (404,)),
    ],
)
def test_an_address_beyond_reason(api: APIClient, path: str, statuses: tuple[int, ...]) -> None:
    answer = api.get(f"{V1}{path}")
    if answer.status_code != 200:
        refused(answer, *statuses)
    assert answer.status_code in statuses


@pytest.mark.parametrize(
    "query", ["strategy=%20", "account=%20default", "basket=b%20", "symbol=AAPL%0A", "limit=5%20"]
)
def test_blanks_in_a_filter_never_show_other_orders(api: APIClient, query: str) -> None:
    name = query.partition("=")[0]
    assert "blanks around it" in refused(api.get(f"{ORDERS}?{query}"), 400)["errors"][name][0]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "FOO"])
def test_a_method_that_is_not_known(api: APIClient, method: str) -> None:
    for path in ("orders/", "halt/", "alerts/", "dashboard/", "token/"):
        assert refused(api.generic(method, f"{V1}{path}"), 405)


def test_what_is_sent_and_wanted_in_other_formats(api: APIClient) -> None:
    refused(api.post(ORDERS, GOOD, format="multipart"), 415)
    refused(api.generic("POST", ORDERS, "<order/>", "application/xml"), 415)
    refused(api.generic("POST", ORDERS, "{}", "nonsense"), 415)
    refused(api.get(ORDERS, HTTP_ACCEPT="text/csv"), 406)
    assert api.get(ORDERS, HTTP_ACCEPT="*/*;q=x, ,;").status_code in (200, 406)


@pytest.mark.parametrize(
    "value", ["Token", "Token a b", "Token \xff", "Bearer x", "Token " + "x" * 999]
)
def test_a_malformed_authorization(value: str) -> None:
    for method in ("GET", "POST"):
        refused(APIClient().generic(method, ORDERS, HTTP_AUTHORIZATION=value), 401)


def test_a_redirect_never_turns_an_order_into_a_list(api: APIClient) -> None:
    told = refused(raw(api, json.dumps(GOOD), ORDERS.rstrip("/")), 404)
    assert "slash" in told["detail"]


def test_a_session_without_its_csrf_token_is_told_so_in_json(admin_user: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert "CSRF" in refused(client.post(ORDERS, GOOD, format="json"), 403)["detail"]


def test_a_failure_of_ours_is_a_problem_too(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.entry.acceptance.accept", lambda *_, **__: 1 / 0)
    told = refused(raw(api, json.dumps(GOOD)), 500)
    assert "ZeroDivisionError" not in json.dumps(told)
    assert "Idempotency-Key" in told["detail"]


def test_a_body_of_unknown_length_is_refused(api: APIClient) -> None:
    refused(api.post(ORDERS, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=""), 411)


ADMIN = [
    "execution/order/?id=%00",
    "execution/order/?q=%00",
    "execution/order/?q=" + "9" * 5_000,
    "execution/order/?q=" + "9" * 40,
    "execution/order/?p=" + "9" * 40,
    "execution/order/?p=x",
    "execution/order/?o=9.9.-99",
    "execution/order/?created_at__year=99999",
    "execution/order/?created_at__year=0",
    "execution/order/?created_at__year=x",
    "execution/order/?created_at__month=13&created_at__year=2026",
    "execution/order/?created_at__day=31&created_at__month=2&created_at__year=2026",
    "execution/order/?id__exact=" + "9" * 40,
    "execution/order/?no_such=1",
    "execution/order/?all=&e=1",
    "execution/slice/?order__id__exact=x",
    "execution/slice/?order__id__exact=" + "9" * 40,
    "execution/order/%00/change/",
    "execution/order/" + "9" * 40 + "/change/",
    "execution/order/x/change/",
    "execution/tradingstate/set/?scope=%00&key=" + "x" * 900,
    "execution/tradingstatechange/?changed_at_real__year=99999",
    "monitoring/alert/?q=%00",
    "monitoring/dailysummary/?date__year=99999",
    "monitoring/dailysummary/?date__year=x",
    "execution/order/?" + "a=1&" * 1_900,
    "execution/order/?q=" + "x" * 9_000,
    "no/such/page/",
    "%ff/",
]


@pytest.mark.parametrize("path", ADMIN)
def test_a_page_of_the_back_office_survives_any_query(admin: Client, path: str) -> None:
    assert admin.get(f"/admin/{path}").status_code < 500


@pytest.mark.parametrize(
    "form",
    [
        {"action": "cancel_orders", "_selected_action": ["x"]},
        {"action": "cancel_orders", "_selected_action": ["\0"]},
        {"action": "cancel_orders", "_selected_action": ["9" * 40]},
        {"action": "\0", "_selected_action": ["1"], "index": "x"},
        {"action": "cancel_orders", "index": "9" * 40, "_selected_action": "1"},
        {"action": "no such", "select_across": "x", "_selected_action": "1"},
    ],
)
def test_an_action_of_the_back_office_survives_any_form(
    admin: Client, form: dict[str, Any]
) -> None:
    assert admin.post("/admin/execution/order/", form).status_code < 500


@pytest.mark.parametrize("text", ["\0", "\ufffe", "x" * 5_000, "9" * 400, "9999-12-31", "1e999"])
def test_every_form_of_the_back_office_survives_any_text(admin: Client, text: str) -> None:
    def fields(url: str) -> dict[str, str]:
        context = admin.get(url).context_data
        form = context.get("form") or context["adminform"].form
        return dict.fromkeys(form.fields, text)

    for page in ("tradingstate/set", "risklimit/add", "markethalt/add", "calendaroverride/add"):
        url = f"/admin/execution/{page}/"
        if (seen := admin.get(url)).status_code == 200 and seen.context_data:
            assert admin.post(url, fields(url)).status_code < 500, page
    login = Client(raise_request_exception=False)
    form = {"username": text, "password": text, "next": text}
    assert login.post("/admin/login/", form).status_code < 500
