"""The executors say what is wrong in the words of their own arguments, and store nothing."""

import asyncio
import getpass
from typing import Any

import pytest

from execution import context as contexts
from execution import heartbeat
from execution.broker.order_manager import OrderManager
from execution.domain.signal import InvalidSignal
from execution.market import clock
from execution.models import Heartbeat, Order
from execution.router import ExecutionRouter
from execution.twap import TWAPExecutor
from execution.vwap import VWAPExecutor
from tests.integration.order_steps import new_order


def manager() -> OrderManager:
    return contexts.default().broker


@pytest.mark.django_db(transaction=True)
def test_the_executors_name_the_argument_and_store_nothing() -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)
    twap = TWAPExecutor(manager(), default_time_window=60, default_num_slices=10)
    vwap = VWAPExecutor(manager(), vwap_deviation_threshold=0.02)
    for executor, given, named in (
        (twap, {"total_quantity": 0}, "total_quantity"),
        (twap, {"total_quantity": "1_0"}, "total_quantity"),
        (twap, {"action": "buy"}, "action"),
        (twap, {"time_window_minutes": 0}, "time_window_minutes"),
        (twap, {"num_slices": 0}, "num_slices"),
        (twap, {"current_price": 0}, "current_price"),
        (twap, {"algorithm": "VWAP"}, "algorithm"),
        (twap, {"quantity": 5}, "quantity"),
        (vwap, {"num_slices": 0}, "num_slices"),
        (vwap, {"num_slices": 101}, "num_slices"),
        (vwap, {"window_minutes": 5}, "window_minutes"),
    ):
        asked: dict[str, Any] = {"symbol": "AAPL", "total_quantity": 100, "action": "BUY"} | given
        with pytest.raises(InvalidSignal) as refused:
            asyncio.run(executor.execute(**asked))
        assert set(refused.value.errors) == {named}
    assert not Order.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("by", "recorded"),
    [
        ("eve", "eve"),
        ("e\0v\ne", "e v e"),
        ("x" * 400, "x" * 150),
        ("", getpass.getuser()),
        (None, getpass.getuser()),
    ],
)
def test_a_script_that_only_cancels_may_do_so_in_a_coroutine(by: Any, recorded: str) -> None:
    """Nothing was read before, as whoever places orders reads it: the clock of paper trading."""
    order = new_order(100, 10)
    clock.forget()
    assert asyncio.run(TWAPExecutor(manager()).cancel(order.pk, by=by))["status"] == "CANCELLED"
    order.refresh_from_db()
    assert order.status_reason.endswith(f"cancelled by {recorded}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "order_id: must be a whole number .*None"),
        ("x", "order_id: must be a whole number .*'x'"),
        (True, "order_id: must be a whole number .*True"),
        (10**30, "order_id: must be a whole number"),
        (999_999, "order_id 999999: no such order is stored"),
    ],
)
def test_a_number_of_no_order_is_named(number: Any, said: str) -> None:
    twap, router = TWAPExecutor(manager()), ExecutionRouter(manager())

    async def first_event() -> object:
        return await anext(router.events(number))

    for ask in (lambda: twap.progress(number), lambda: twap.cancel(number), first_event):
        with pytest.raises((ValueError, Order.DoesNotExist), match=said):
            asyncio.run(ask())


def test_an_algorithm_that_the_executor_has_chosen_is_told() -> None:
    with pytest.raises(InvalidSignal, match="algorithm: is not taken here: it is TWAP"):
        asyncio.run(TWAPExecutor(manager()).execute("AAPL", 5, "BUY", algorithm="VWAP"))  # type: ignore[call-arg]


def test_a_default_in_words_is_the_number_that_it_says() -> None:
    assert TWAPExecutor(manager(), default_num_slices="10").default_num_slices == 10  # type: ignore[arg-type]
