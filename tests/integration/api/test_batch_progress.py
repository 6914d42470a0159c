"""A long list of orders says how far it is while it is accepted."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from execution.api import batch_progress
from execution.models import Order, OrderEvent
from tests.bad_signals import GOOD
from tests.integration.api.test_api import ORDERS, client_of

pytestmark = pytest.mark.django_db
LIST = [GOOD | {"client_reference": f"r{number}"} for number in range(230)]


@pytest.fixture
def api() -> APIClient:
    return client_of("Trader")


def send(api: APIClient, body: Any) -> Any:
    return api.post(ORDERS, body, format="json", headers={"Accept": batch_progress.JSON_LINES})


def lines_of(answer: Any) -> Iterator[dict[str, Any]]:
    assert answer["Content-Type"] == batch_progress.JSON_LINES
    for line in answer.streaming_content:
        assert line.endswith(b"\n")
        yield json.loads(line)


def test_each_hundred_orders_are_a_line_and_the_last_is_the_usual_answer(api: APIClient) -> None:
    *progress, last = lines_of(send(api, LIST))
    assert progress == [{"planned": planned, "of": 230} for planned in (100, 200, 230)]
    assert (last["status"], last["new"], len(last["orders"])) == (201, 230, 230)
    assert set(Order.objects.values_list("pk", flat=True)) == {row["id"] for row in last["orders"]}
    event = OrderEvent.objects.filter(order_id=last["orders"][0]["id"]).earliest("pk")
    assert (event.data["by"], event.data["via"]) == ("user-Trader", "API")
    again = list(lines_of(send(api, LIST)))[-1]
    plain = api.post(ORDERS, LIST, format="json")
    assert again == {"status": plain.status_code, **plain.json()}
    assert again["status"] == 200


def test_what_is_wrong_is_the_last_line_and_nothing_is_stored(api: APIClient) -> None:
    wrong = [*LIST, GOOD | {"algorithm": "TWAP", "slices": 50, "window_minutes": 0.001}]
    last = list(lines_of(send(api, wrong)))[-1]
    assert last["status"] == 400
    assert all(name.startswith("230.") for name in last["errors"])
    assert not Order.objects.exists()
    assert list(lines_of(send(api, LIST)))[-1]["status"] == 201


@pytest.mark.django_db(transaction=True)
def test_who_hangs_up_before_the_end_has_stored_nothing(api: APIClient) -> None:
    answer = send(api, LIST)
    assert next(lines_of(answer)) == {"planned": 100, "of": 230}
    answer.close()
    assert not Order.objects.exists()
    assert list(lines_of(send(api, LIST)))[-1]["status"] == 201


def test_a_second_list_meanwhile_is_sent_again(api: APIClient) -> None:
    first = lines_of(send(api, LIST))
    next(first)
    [busy] = lines_of(send(api, LIST))
    assert (busy["status"], busy["code"]) == (503, "BUSY")
    assert list(first)[-1]["status"] == 201


def test_what_is_refused_before_it_begins_is_refused_as_ever(api: APIClient) -> None:
    assert send(api, []).status_code == 400
    one = send(api, GOOD)
    assert (one.status_code, json.loads(one.content)["symbol"]) == (201, GOOD["symbol"])
    refused = api.get(ORDERS, headers={"Accept": batch_progress.JSON_LINES})
    assert refused.status_code == 406
