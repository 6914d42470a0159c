"""The listener's inbox: the latest word on each order, in one hand at a time."""

import threading
from time import monotonic

import pytest

from execution.listeners.update_queue import UpdateQueue


@pytest.fixture
def inbox() -> UpdateQueue[str, int]:
    return UpdateQueue(lambda held, come: come >= held)


def test_only_the_latest_word_on_an_order_waits(inbox: UpdateQueue[str, int]) -> None:
    for value in (1, 3, 2):
        inbox.put("a", value)
    assert inbox.take(0) == ("a", 3)
    assert inbox.take(0) is None


def test_an_order_in_hand_is_given_to_no_other_hand(inbox: UpdateQueue[str, int]) -> None:
    inbox.put("a", 1)
    inbox.put("b", 1)
    assert inbox.take(0) == ("a", 1)
    inbox.put("a", 2)
    assert inbox.take(0) == ("b", 1)
    assert inbox.take(0) is None
    inbox.done("a")
    assert inbox.take(0) == ("a", 2)


def test_what_is_put_off_waits_and_comes(inbox: UpdateQueue[str, int]) -> None:
    started = monotonic()
    inbox.put("a", 1, delay=0.2)
    assert inbox.take(0) is None
    assert inbox.take(5) == ("a", 1)
    assert 0.15 < monotonic() - started < 2


def test_news_do_not_wait_for_what_was_put_off(inbox: UpdateQueue[str, int]) -> None:
    inbox.put("a", 1, delay=60)
    inbox.put("a", 2)
    assert inbox.take(0) == ("a", 2)


def test_a_waiting_hand_is_woken(inbox: UpdateQueue[str, int]) -> None:
    taken: list[object] = []
    hand = threading.Thread(target=lambda: taken.append(inbox.take(10)))
    hand.start()
    started = monotonic()
    inbox.put("a", 1)
    hand.join(5)
    assert taken == [("a", 1)]
    assert monotonic() - started < 2
