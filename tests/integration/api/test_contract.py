"""What the OpenAPI document promises programs: examples, order of lists, versions, a client."""

import gzip
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from jsonschema import Draft202012Validator
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from execution.api.openapi_texts import EXAMPLES, SUMMARIES
from execution.management.roles import ensure_roles
from execution.models import Order
from tests.integration.api.test_api import ORDERS, SLICED, api, post, stored
from tests.stack import Stack, wait_for

__all__ = ["api"]

pytestmark = pytest.mark.django_db

SCHEMA = "/api/v1/schema/?format=json"


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from (each for name, each in item.items() if name != "parameters")


def test_every_operation_is_named_and_its_example_is_allowed(api: APIClient) -> None:
    document = api.get(SCHEMA).json()
    names = [operation["operationId"] for operation in operations(document)]
    assert sorted(names) == sorted(SUMMARIES)
    assert set(EXAMPLES) <= set(names)
    for operation in operations(document):
        assert operation["summary"] == SUMMARIES[operation["operationId"]]
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in content:
            schema = {**content["schema"], "components": document["components"]}
            problems = Draft202012Validator(schema).iter_errors(content["example"])
            # What is read only is asked of answers alone.
            told = [each.message for each in problems]
            assert [text for text in told if not text.startswith("'token' is a required")] == []


def test_a_list_leaves_out_what_other_algorithms_would_have_cost(api: APIClient) -> None:
    pk = stored(api)
    assert "alternatives" in api.get(f"{ORDERS}{pk}/").json()["routing"]
    row = api.get(ORDERS).json()["results"][0]
    assert "alternatives" not in row["routing"]
    assert row["routing"].keys() == api.get(f"{ORDERS}{pk}/").json()["routing"].keys() - {
        "alternatives"
    }
    asked = api.get(f"{ORDERS}?include=alternatives").json()["results"][0]
    assert "alternatives" in asked["routing"]
    assert api.get(f"{ORDERS}?include=fills").status_code == 400


def test_a_list_can_be_turned_round(api: APIClient) -> None:
    first, second = stored(api), stored(api)

    def ids(query: str, path: str = ORDERS) -> list[int]:
        return [row["id"] for row in api.get(f"{path}?{query}").json()["results"]]

    assert ids("ordering=-id") == ids("limit=9") == [second, first]
    assert ids("ordering=id") == [first, second]
    slices = f"{ORDERS}{first}/slices/"
    assert ids("ordering=-sequence", slices) == ids("ordering=sequence", slices)[::-1]
    page = api.get(f"{slices}?ordering=-sequence&limit=4").json()
    assert api.get(page["next"]).json()["results"][0]["sequence"] == 5
    wrong = api.get(f"{ORDERS}?ordering=symbol")
    assert wrong.json()["errors"] == {"ordering": ["must be -id or id, got 'symbol'"]}


def test_a_long_answer_is_compressed_for_who_takes_it(api: APIClient) -> None:
    for _ in range(3):
        stored(api)
    plain = api.get(ORDERS)
    assert "Content-Encoding" not in plain
    packed = api.get(ORDERS, headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.content)) == plain.json()
    answer = post(api, SLICED, **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer


def test_an_amendment_may_name_the_version_as_if_match(api: APIClient) -> None:
    pk = stored(api)
    path = f"{ORDERS}{pk}/amend/"
    seen = api.get(f"{ORDERS}{pk}/")["ETag"]
    assert seen == '"1"'
    done = post(api, {"quantity": 90}, path, **{"If-Match": seen})
    assert (done.status_code, done["ETag"], done.json()["quantity"]) == (200, '"2"', 90)
    late = post(api, {"quantity": 80}, path, **{"If-Match": seen})
    assert (late.status_code, "version 2, not 1" in late.json()["detail"]) == (412, True)
    assert post(api, {"quantity": 80, "version": 1}, path).status_code == 409


@pytest.mark.parametrize(
    ("match", "body", "field"),
    [
        ("*", {}, "If-Match"),
        ("1", {}, "If-Match"),
        ('W/"1"', {}, "If-Match"),
        ('"1", "2"', {}, "If-Match"),
        ('"1"', {"version": 2}, "version"),
    ],
)
def test_an_if_match_that_names_no_version_changes_nothing(
    api: APIClient, match: str, body: dict[str, Any], field: str
) -> None:
    pk = stored(api)
    answer = post(api, {"quantity": 90} | body, f"{ORDERS}{pk}/amend/", **{"If-Match": match})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert Order.objects.get(pk=pk).version == 1


@pytest.fixture
def client_of_the_document(api: APIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a package that openapi-python-client wrote from the document."""
    document = tmp_path / "schema.json"
    document.write_bytes(api.get(SCHEMA).content)
    name = "generated_client"
    words = ["--path", str(document), "--output-path", str(tmp_path / name), "--meta", "none"]
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", *words],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(Path(sys.executable).parent)},
    )
    assert (done.returncode, "Warning" in done.stdout) == (0, False), done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.django_db(transaction=True)
def test_a_generated_client_places_follows_and_cancels_an_order(
    client_of_the_document: str, stack: Stack
) -> None:
    ensure_roles()
    user, _ = User.objects.get_or_create(username="generated")
    user.groups.set(Group.objects.filter(name="Trader"))
    token = Token.objects.get_or_create(user=user)[0].key
    web = stack.web()
    package = importlib.import_module(client_of_the_document)
    orders = f"{client_of_the_document}.api.orders"

    def call(operation: str, *args: Any, **values: Any) -> Any:
        module = importlib.import_module(f"{orders}.{operation}")
        return module.sync(*args, client=client, **values)

    with package.AuthenticatedClient(base_url=web.url, token=token, prefix="Token") as client:
        signal = {**SLICED, "slices": 60, "window_minutes": 30}
        order = call("orders_create", body=signal)
        assert (order.status.value, order.filled_quantity) == ("ACCEPTED", 0)
        wait_for(
            lambda: call("orders_retrieve", order.id).filled_quantity > 0, 60, "the first fill"
        )
        assert call("orders_events_list", order.id).results[0].kind.value == "ORDER_ACCEPTED"
        reason = importlib.import_module(f"{client_of_the_document}.models.reason").Reason
        call("orders_cancel_create", order.id, body=reason(reason="enough"))
        wait_for(
            lambda: call("orders_retrieve", order.id).status.value == "CANCELLED",
            60,
            "the order to be cancelled",
        )
    stack.members.remove(web)
    web.stop()
