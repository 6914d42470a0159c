"""One client reference is one order: the same signal again gives it, any other is refused."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from execution import context as contexts
from execution import heartbeat
from execution.broker.order_manager import OrderManager
from execution.entry import acceptance
from execution.entry.references import ReferenceConflict
from execution.models import Heartbeat, Order
from execution.router import ExecutionRouter
from tests.integration.api.test_api import client_of
from tests.stack import wait_for

pytestmark = pytest.mark.django_db

SIGNAL: dict[str, Any] = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 100,
    "decision_price": "150",
    "limit_price": "150",
    "algorithm": "TWAP",
    "window_minutes": 60,
    "slices": 10,
    "urgency": "NORMAL",
    "strategy": "momentum",
    "client_reference": "r-1",
}
ORDERS = "/api/v1/orders/"


def accept(**changes: Any) -> Order:
    return acceptance.accept(SIGNAL | changes, contexts.default())


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"limit_price": 150.0, "quantity": "100"},
        {"urgency": None},
        {"residual": "LEAVE", "lot_size": 1},
        {"account": "default"},
    ],
)
def test_the_same_signal_again_is_the_same_order(again: dict[str, Any]) -> None:
    first = accept()
    Order.objects.filter(pk=first.pk).update(quantity=90)  # amended meanwhile
    assert accept(**again).pk == first.pk
    assert Order.objects.count() == 1


OTHER_TERMS: list[dict[str, Any]] = [
    {"symbol": "MSFT"},
    {"side": "SELL"},
    {"quantity": 101},
    {"limit_price": "149"},
    {"limit_price": None},
    {"decision_price": "151"},
    {"algorithm": "VWAP"},
    {"algorithm": None},
    {"window_minutes": 30},
    {"window_minutes": None, "end_at": timedelta(minutes=60)},
    {"start_at": timedelta(minutes=1)},
    {"slices": 5},
    {"urgency": "LOW"},
    {"strategy": "reversal"},
    {"strategy": None},
    {"average_daily_volume": 1_000_000},
    {"max_participation": 0.1},
    {"vwap_deviation_threshold": 0.02},
    {"residual": "FORCE"},
    {"residual": "FORCE", "residual_minutes": 5},
    {"would_price": "149"},
    {"lot_size": 10},
    {"min_slice": 5},
    {"max_slice": 50},
]


@pytest.mark.parametrize("other", OTHER_TERMS, ids=[",".join(map(str, t)) for t in OTHER_TERMS])
def test_another_term_under_the_same_reference_is_refused_and_named(other: dict[str, Any]) -> None:
    first = accept()
    now = contexts.default().now()
    moments = {n: v if not isinstance(v, timedelta) else now + v for n, v in other.items()}
    with pytest.raises(ReferenceConflict) as refused:
        accept(**moments)
    said = refused.value.errors["client_reference"]
    assert f"order {first.pk}" in said
    assert all(f"{name} was " in said for name in other)
    assert Order.objects.count() == 1


def test_the_api_answers_a_conflict_that_names_order_and_term() -> None:
    api = client_of("Trader")
    first = api.post(ORDERS, SIGNAL, format="json")
    assert first.status_code == 201
    assert api.post(ORDERS, SIGNAL, format="json").status_code == 200
    number = first.json()["id"]
    answer = api.post(ORDERS, SIGNAL | {"limit_price": "149"}, format="json")
    assert answer.status_code == 409
    said = json.dumps(answer.json())
    assert f"order {number}" in said
    assert "limit_price was 150, is 149" in said
    batch = [SIGNAL | {"client_reference": "r-2"}, SIGNAL | {"slices": 5}]
    answer = api.post(ORDERS, batch, format="json")
    assert answer.status_code == 409
    assert "1.client_reference" in answer.content.decode()
    assert Order.objects.count() == 1


def test_an_idempotency_key_stands_for_one_order_too() -> None:
    api = client_of("Trader")
    signal = {name: value for name, value in SIGNAL.items() if name != "client_reference"}

    def post(**changes: Any) -> int:
        key = {"Idempotency-Key": "k-1"}
        return api.post(ORDERS, signal | changes, format="json", headers=key).status_code

    assert [post(), post(), post(slices=5), post()] == [201, 200, 409, 200]
    assert post(client_reference="") == 400


def test_one_reference_twice_in_a_batch_is_one_order_or_refused() -> None:
    context = contexts.default()
    one, two = acceptance.accept_all([SIGNAL, SIGNAL], context)
    assert one.pk == two.pk
    fresh = SIGNAL | {"client_reference": "r-9"}
    with pytest.raises(ReferenceConflict, match="another order of this batch"):
        acceptance.accept_all([fresh, fresh | {"quantity": 77}], context)
    assert not Order.objects.filter(client_reference="r-9").exists()


@pytest.mark.django_db(transaction=True)
def test_two_lists_that_name_the_same_orders_in_another_sequence_are_both_answered() -> None:
    one, two = SIGNAL | {"client_reference": "r-6"}, SIGNAL | {"client_reference": "r-7"}

    def backwards() -> list[Order]:
        try:
            return acceptance.accept_all([two, one], contexts.default())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            stored = [acceptance.accept(one, contexts.default())]
            other = threads.submit(backwards)
            wait_for(somebody_waits, 10, "the other list to come upon the reference")
            stored.append(acceptance.accept(two, contexts.default()))
        assert [order.pk for order in other.result(10)] == [order.pk for order in stored[::-1]]


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_python_and_the_command_name_the_term_in_their_own_words() -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)
    router = ExecutionRouter(OrderManager(config=contexts.default().config))

    def ask(window: float) -> int:
        wish = {"algorithm": "TWAP", "client_reference": "r-5", "wait": False}
        answer = router.route_order("AAPL", 100, "BUY", 150, time_window_minutes=window, **wish)
        return asyncio.run(answer)["order_id"]

    assert ask(60) == ask(60)
    with pytest.raises(ReferenceConflict, match=r"time_window_minutes was 60.0, is 30.0"):
        ask(30)
    words = ["--price=150", "--algorithm=TWAP", "--reference=r-5", "--no-wait"]
    with pytest.raises(CommandError, match=r"--window-minutes was 60.0, is 30.0"):
        call_command("order", "BUY", "100", "AAPL", "--window-minutes=30", *words)
