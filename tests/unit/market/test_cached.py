"""What a table says is read again when it has become old."""

from itertools import count

from execution.market.cached import cached_for


def test_an_answer_is_kept_for_its_seconds_and_then_read_again() -> None:
    numbers, now = count(), [100.0]
    answer = cached_for(2.0, lambda: next(numbers), timer=lambda: now[0])
    assert [answer(), answer()] == [0, 0]
    now[0] = 101.9
    assert answer() == 0
    now[0] = 102.0
    assert [answer(), answer()] == [1, 1]
