"""The executors say what is wrong in the words of their own arguments, and store nothing."""

import asyncio
from typing import Any

import pytest

from execution import context as contexts
from execution import heartbeat
from execution.broker.order_manager import OrderManager
from execution.domain.signal import InvalidSignal
from execution.models import Heartbeat, Order
from execution.twap import TWAPExecutor
from execution.vwap import VWAPExecutor


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
