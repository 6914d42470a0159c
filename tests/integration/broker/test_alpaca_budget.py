"""Alpaca's message budget: never exceeded, shared by all, cancels first, closed without Redis."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from time import monotonic

import pytest
from pytest_django.fixtures import Settings

from execution.broker.alpaca import AlpacaBroker
from execution.broker.base import BrokerRejected, BrokerUnavailable, Ticket
from tests.brokers.alpaca_rig import AlpacaRig
from tests.brokers.alpaca_rig import settings as configured
from tests.stack import wait_for

pytestmark = pytest.mark.any_date

PER_MINUTE = 600
BURST, REFILL = 120, 8  # messages at once, and a second


def sent_at(rig: AlpacaRig, method: str = "POST") -> list[float]:
    return [float(str(entry["at"])) for entry in rig.peer.entries("attempt", method=method)]


def test_five_hundred_due_slices_stay_within_the_budget_of_all_workers(alpaca: AlpacaRig) -> None:
    config = configured(alpaca.peer.url, alpaca_requests_per_minute=PER_MINUTE)
    workers = [AlpacaBroker(config) for _ in range(4)]
    tickets = [alpaca.ticket() for _ in range(500)]

    def send(numbered: tuple[int, Ticket]) -> None:
        number, ticket = numbered
        with suppress(BrokerUnavailable):
            workers[number % 4].place(ticket, now=alpaca.now())

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(send, enumerate(tickets)))
    times = sorted(sent_at(alpaca) + sent_at(alpaca, "GET"))
    assert len(times) > 50, "the burst goes out"
    for first in range(len(times)):
        for last in range(first, len(times)):
            allowed = BURST + REFILL * (times[last] - times[first]) + 1
            assert last - first + 1 <= allowed + 2  # of the way from Redis to the peer


def send_without_end(broker: AlpacaBroker, rig: AlpacaRig) -> None:
    while True:
        broker.place(rig.ticket(), now=rig.now())


def test_what_finds_no_message_left_is_surely_unsent_and_soon(alpaca: AlpacaRig) -> None:
    broker = AlpacaBroker(configured(alpaca.peer.url, alpaca_requests_per_minute=30))
    started = monotonic()
    with pytest.raises(BrokerUnavailable, match="budget"):
        send_without_end(broker, alpaca)
    assert monotonic() - started < 2
    assert 0 < len(sent_at(alpaca)) < 5


def test_cancels_go_first(alpaca: AlpacaRig) -> None:
    """Sends leave a part of the burst untouched; of what comes back they get nothing while a
    cancel waits."""
    broker = AlpacaBroker(configured(alpaca.peer.url, alpaca_requests_per_minute=200))
    placed = [alpaca.placed() for _ in range(20)]
    stop = Event()

    def keep_sending() -> None:
        while not stop.is_set():
            with suppress(BrokerUnavailable):
                broker.place(alpaca.ticket(), now=alpaca.now())

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(keep_sending)
        wait_for(lambda: len(sent_at(alpaca)) >= 20 + 25, 10, "the burst to be spent")
        for ticket in placed:
            broker.cancel(ticket.client_order_id, now=alpaca.now())
        stop.set()
    methods = [entry["method"] for entry in alpaca.peer.entries("attempt")]
    assert methods.count("DELETE") == 20
    first = methods.index("DELETE")
    last = len(methods) - 1 - methods[::-1].index("DELETE")
    assert methods[first:last].count("POST") <= 2, "those that were on their way"


def test_without_redis_nothing_is_sent(alpaca: AlpacaRig, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    broker = AlpacaBroker(alpaca.config)
    with pytest.raises(BrokerUnavailable, match="Redis"):
        broker.place(alpaca.ticket(), now=alpaca.now())
    with pytest.raises(BrokerUnavailable, match="Redis"):
        broker.find("anything", now=alpaca.now())
    assert alpaca.peer.entries("attempt") == []


def test_tokens_come_back_evenly(alpaca: AlpacaRig) -> None:
    broker = AlpacaBroker(configured(alpaca.peer.url, alpaca_requests_per_minute=PER_MINUTE))
    deadline = monotonic() + 4
    while monotonic() < deadline:
        with suppress(BrokerUnavailable):
            broker.place(alpaca.ticket(), now=alpaca.now())
    times = sent_at(alpaca)
    # A quarter of a second's orders in each quarter of it, but for a pause of the machine; tokens
    # that come back once a second would let all of them go in one quarter of every second.
    seconds = [[at for at in times if 0 <= times[-1] - ago - at < 0.9] for ago in range(3)]
    fullest = [
        max(Counter(int((second[-1] - at) * 4) for at in second).values()) / len(second)
        for second in seconds
        if len(second) > 5
    ]
    assert min(fullest) <= 0.7


TIRED = {"code": 42910000, "message": "too many requests."}


def pause_told(rig: AlpacaRig, method: str, seconds: int) -> None:
    headers = {"Retry-After": str(seconds)}
    rig.peer.tell("fault", method=method, status=429, headers=headers, body=TIRED)


def test_a_cancel_does_not_wait_for_a_pause_that_a_look_up_was_told(alpaca: AlpacaRig) -> None:
    known, unknown = alpaca.placed(), alpaca.placed()
    pause_told(alpaca, "GET", 60)
    with pytest.raises(BrokerUnavailable, match="429"):
        alpaca.find(known)
    forgotten = alpaca.broker._cache
    forgotten._redis.delete(f"{forgotten._key}:id:{unknown.client_order_id}")
    started = monotonic()
    for ticket in (known, unknown):
        alpaca.broker.cancel(ticket.client_order_id, now=alpaca.now())
    assert monotonic() - started < 2
    assert len(sent_at(alpaca, "DELETE")) == 2
    with pytest.raises(BrokerUnavailable, match="asked for a pause"):
        alpaca.broker.place(alpaca.ticket(), now=alpaca.now())


def test_a_pause_that_a_cancel_was_told_is_kept_by_cancels_and_ends(alpaca: AlpacaRig) -> None:
    first, second = alpaca.placed(), alpaca.placed()
    pause_told(alpaca, "DELETE", 3)
    with pytest.raises(BrokerRejected) as refused:
        alpaca.broker.cancel(first.client_order_id, now=alpaca.now())
    assert refused.value.transient
    assert refused.value.retry_after == 3
    with pytest.raises(BrokerUnavailable, match="asked for a pause"):
        alpaca.broker.cancel(second.client_order_id, now=alpaca.now())
    assert alpaca.broker.budget.closed_for() > 0
    wait_for(lambda: not alpaca.broker.budget.closed_for(), 5, "the pause to end")
    for ticket in (first, second):
        alpaca.broker.cancel(ticket.client_order_id, now=alpaca.now())
    assert len(sent_at(alpaca, "DELETE")) == 3
