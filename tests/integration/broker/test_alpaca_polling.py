"""What the Alpaca adapter hears when it asks: everything, in few messages."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from execution.broker.alpaca import AlpacaBroker
from execution.broker.base import BrokerOrder, OutcomeUnknown, TooSoon
from execution.domain.lifecycle import SliceStatus
from tests.brokers.alpaca_rig import AlpacaRig, settings
from tests.brokers.rig import PATIENCE, PRICE, executed
from tests.stack import wait_for

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def news(rig: AlpacaRig, since: datetime, now: datetime | None = None) -> list[BrokerOrder]:
    """The news as soon as the messages allow."""

    def ask() -> list[list[BrokerOrder]]:
        try:
            return [list(rig.broker.reports(rig.account, since, now=now or rig.now()))]
        except TooSoon:
            return []

    (told,) = wait_for(ask, PATIENCE, "the news")
    return told


def until_told(
    rig: AlpacaRig, client_order_id: str, condition: Callable[[BrokerOrder], bool]
) -> None:
    """Each time only what is new since the time before is asked for."""

    def told() -> bool:
        return any(
            seen.client_order_id == client_order_id and condition(seen)
            for seen in news(rig, rig.now())
        )

    wait_for(told, PATIENCE, f"news of {client_order_id}")


def test_news_go_beyond_a_page_although_moments_are_shared(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("crowd", count=1_203, per_moment=3)
    told = {seen.broker_order_id for seen in news(alpaca, alpaca.now() - 2 * HOUR)}
    assert len(told) == 1_203


def test_a_listing_that_does_not_end_is_no_answer(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("crowd", count=501, per_moment=501)
    with pytest.raises(OutcomeUnknown, match="do not end"):
        news(alpaca, alpaca.now() - 2 * HOUR)


def test_an_old_order_that_is_still_open_stays_in_the_news(alpaca: AlpacaRig) -> None:
    """Alpaca lists orders by their submission, not by their last change."""
    ticket = alpaca.placed()
    alpaca.peer.tell("age", client_order_id=ticket.client_order_id, seconds=7200)
    news(alpaca, alpaca.now())
    alpaca.end(ticket.client_order_id, SliceStatus.CANCELLED)
    later = alpaca.now() + 2 * MINUTE
    assert statuses(news(alpaca, later, later)) == [SliceStatus.CANCELLED]


def test_orders_that_ended_long_ago_are_not_read_again_and_again(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("crowd", count=3, status="canceled")
    assert len(news(alpaca, alpaca.now() - 2 * HOUR)) == 3
    later = alpaca.now() + 2 * MINUTE
    alpaca.peer.tell("crowd", count=1_000, status="canceled")
    before = len(alpaca.peer.entries("attempt"))
    assert news(alpaca, later, later) == []
    assert len(alpaca.peer.entries("attempt")) == before + 2


def test_what_was_told_to_a_worker_that_died_is_told_again(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    alpaca.peer.tell("age", client_order_id=ticket.client_order_id, seconds=7200)
    heard = alpaca.now()
    news(alpaca, heard)
    alpaca.end(ticket.client_order_id, SliceStatus.CANCELLED)
    news(alpaca, heard, heard + MINUTE)  # and nobody books it
    told = news(alpaca, heard, heard + 2 * MINUTE)
    assert statuses(told) == [SliceStatus.CANCELLED]


def statuses(told: list[BrokerOrder]) -> list[SliceStatus]:
    return [seen.status for seen in told]


def test_a_late_execution_of_an_order_that_ended_long_ago_is_told(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    alpaca.broker.cancel(ticket.client_order_id, now=alpaca.now())
    alpaca.peer.tell("age", client_order_id=ticket.client_order_id, seconds=7200)
    news(alpaca, alpaca.now())
    alpaca.fill_late(ticket.client_order_id, 30, PRICE)
    until_told(alpaca, ticket.client_order_id, lambda seen: executed(seen) == 30)


def test_an_execution_that_shows_late_is_not_missed(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("set", activity_lag=1.0)
    ticket = alpaca.placed()
    alpaca.fill(ticket.client_order_id, 40, PRICE)
    alpaca.peer.tell("age", client_order_id=ticket.client_order_id, seconds=60)
    (early,) = news(alpaca, alpaca.now() - HOUR)
    assert (early.filled_quantity, executed(early)) == (40, 0)
    until_told(alpaca, ticket.client_order_id, lambda seen: executed(seen) == 40)


def test_an_order_that_cannot_be_read_hides_no_other(alpaca: AlpacaRig) -> None:
    strange, plain = alpaca.placed(), alpaca.placed()
    alpaca.peer.tell("become", client_order_id=strange.client_order_id, status="sleeping")
    told = news(alpaca, alpaca.now() - HOUR)
    assert [seen.client_order_id for seen in told] == [plain.client_order_id]


def test_more_than_a_page_of_executions_is_told(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed(quantity=230)
    for _ in range(230):
        alpaca.fill(ticket.client_order_id, 1, PRICE)
    (seen,) = news(alpaca, alpaca.now() - HOUR)
    assert executed(seen) == 230


def test_news_take_two_messages_and_no_more_than_their_share(alpaca: AlpacaRig) -> None:
    for _ in range(20):
        alpaca.fill(alpaca.placed().client_order_id, 100, PRICE)
    broker = AlpacaBroker(settings(alpaca.peer.url, alpaca_requests_per_minute=200))
    before = len(alpaca.peer.entries("attempt"))
    assert len(broker.reports(alpaca.account, alpaca.now() - HOUR, now=alpaca.now())) == 20
    with pytest.raises(TooSoon):
        broker.reports(alpaca.account, alpaca.now() - HOUR, now=alpaca.now())
    assert len(alpaca.peer.entries("attempt")) == before + 2


def test_one_worker_reading_the_news_is_enough(alpaca: AlpacaRig) -> None:
    config = settings(alpaca.peer.url, alpaca_requests_per_minute=200)
    first, second = AlpacaBroker(config), AlpacaBroker(config)
    first.reports(alpaca.account, alpaca.now() - HOUR, now=alpaca.now())
    with pytest.raises(TooSoon):
        second.reports(alpaca.account, alpaca.now() - HOUR, now=alpaca.now())


def test_a_sweep_that_failed_is_repeated_in_full(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    alpaca.fill(ticket.client_order_id, 100, PRICE)
    since = alpaca.now() - HOUR
    alpaca.peer.tell("fault", method="GET", path="/v2/orders", status=502, body="<html>")
    with pytest.raises(OutcomeUnknown):
        news(alpaca, since)
    assert [executed(seen) for seen in news(alpaca, since)] == [100]


def test_another_account_has_no_news_here(alpaca: AlpacaRig) -> None:
    alpaca.placed()
    assert list(alpaca.broker.reports("somebody", alpaca.now() - HOUR, now=alpaca.now())) == []
