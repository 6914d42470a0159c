"""What a stage does together, what alone, and when."""

import threading
from collections.abc import Callable, Sequence

import pytest

from execution.orders.locks import NeedsOwnTransaction
from execution.sending.stage import Calls, Keys, Stage
from tests.stack import wait_for

PATIENCE = 10.0  # seconds
FAR_OFF = 3_600.0


class Work:
    """Sets as they were done. The first one waits until `go`, so that others gather behind it."""

    def __init__(self, failing: Callable[[Sequence[str]], BaseException | None] | None = None):
        self.sets: list[list[str]] = []
        self.alone: list[str] = []
        self.began, self.go = threading.Event(), threading.Event()
        self._failing = failing or (lambda _: None)

    def __call__(self, names: Sequence[str]) -> None:
        self.sets.append(list(names))
        if len(self.sets) == 1:
            self.began.set()
            assert self.go.wait(PATIENCE)
        if error := self._failing(names):
            raise error

    def stage(self, *, most: int = 20, keys: Callable[[str], Keys] = lambda _: {}) -> Stage[str]:
        return Stage("test", self, alone=self.alone.append, most=most, keys=keys)

    def bring(self, stage: Stage[str], *names: str) -> None:
        """The first alone, and when it is under way the others."""
        stage.put(names[0])
        assert self.began.wait(PATIENCE)
        for name in names[1:]:
            stage.put(name)
        self.go.set()
        wait_for(lambda: stage.idle, PATIENCE, "all to be done")


def test_what_comes_up_meanwhile_is_the_next_set() -> None:
    work = Work()
    work.bring(work.stage(), "a", "b", "c", "d")
    assert work.sets == [["a"], ["b", "c", "d"]]


def test_a_set_is_no_larger_than_asked() -> None:
    work = Work()
    work.bring(work.stage(most=2), "a", "b", "c", "d", "e", "f")
    assert work.sets == [["a"], ["b", "c"], ["d", "e"], ["f"]]


def test_what_does_not_go_together_is_done_one_after_the_other() -> None:
    sides = {"first": {}, "buy": {"AAPL": "BUY"}, "sell": {"AAPL": "SELL"}}
    sides |= {"buy more": {"AAPL": "BUY"}, "other": {"MSFT": "SELL"}}
    work = Work()
    work.bring(work.stage(keys=lambda name: {**sides[name]}), *sides)
    assert work.sets == [["first"], ["buy", "buy more", "other"], ["sell"]]


def test_while_one_thread_is_busy_another_takes_a_whole_set_and_no_less() -> None:
    work = Work()
    stage = Stage("test", work, most=3, threads=2, gathers=True)
    stage.put("a")
    assert work.began.wait(PATIENCE)
    for name in "bcd":
        stage.put(name)
    wait_for(lambda: work.sets == [["a"], ["b", "c", "d"]], PATIENCE, "the whole set")
    for name in "ef":
        stage.put(name)
    _let_others_run()
    assert len(work.sets) == 2
    work.go.set()
    wait_for(lambda: work.sets[2:] == [["e", "f"]], PATIENCE, "what has gathered meanwhile")


def _let_others_run() -> None:
    for _ in range(5):
        done = threading.Event()
        Stage[str]("other", lambda _, done=done: done.set()).put("x")  # type: ignore[misc]
        assert done.wait(PATIENCE)


@pytest.mark.parametrize("error", [ValueError("a set"), NeedsOwnTransaction(), SystemExit()])
def test_a_set_that_fails_is_done_one_by_one_and_the_next_as_ever(error: BaseException) -> None:
    work = Work(lambda names: error if "poisoned" in names else None)
    stage = work.stage()
    work.bring(stage, "a", "b", "poisoned", "c")
    assert work.alone == ["b", "poisoned", "c"]
    stage.put("later")
    wait_for(lambda: work.sets[-1] == ["later"], PATIENCE, "what came after the failure")


def test_what_is_not_due_waits_and_holds_up_nothing() -> None:
    work = Work()
    work.go.set()
    stage = work.stage()
    stage.put("far off", after=FAR_OFF)
    stage.put("due")
    wait_for(lambda: work.sets, PATIENCE, "what is due")
    assert work.sets == [["due"]]
    assert not stage.idle


def test_where_it_gathers_what_is_there_goes_with_what_is_due() -> None:
    work = Work()
    work.go.set()
    stage = Stage("test", work, most=20, gathers=True)
    stage.put("far off", after=FAR_OFF)
    assert not work.sets
    stage.put("due")
    wait_for(lambda: stage.idle, PATIENCE, "both")
    assert work.sets == [["due", "far off"]]


def test_where_it_gathers_a_full_set_waits_no_longer() -> None:
    work = Work()
    work.go.set()
    stage = Stage("test", work, most=2, gathers=True)
    for name in ("a", "b"):
        stage.put(name, after=FAR_OFF)
    wait_for(lambda: stage.idle, PATIENCE, "a full set")
    assert work.sets == [["a", "b"]]


def test_what_is_due_soon_after_goes_with_what_is_due() -> None:
    work = Work()
    stage = Stage("test", work, most=20, span=lambda: FAR_OFF)
    stage.put("first")
    assert work.began.wait(PATIENCE)
    for name, after in (("due", 0.0), ("soon", FAR_OFF / 2), ("later", 2 * FAR_OFF)):
        stage.put(name, after=after)
    work.go.set()
    wait_for(lambda: len(work.sets) == 2, PATIENCE, "what came meanwhile")
    assert work.sets == [["first"], ["due", "soon"]]


def test_what_waits_already_is_not_done_twice() -> None:
    work = Work()
    stage = Stage("test", work, most=20, once=lambda name: name)
    work.bring(stage, "a", "b", "b", "a", "b")
    assert work.sets == [["a"], ["b", "a"]]


def test_further_threads_begin_when_all_are_busy() -> None:
    """Each waits for all others: with one thread none would end."""
    together, seen = threading.Barrier(3), list[str]()

    def work(names: Sequence[str]) -> None:
        together.wait(PATIENCE)
        seen.extend(names)

    stage = Stage("test", work, spare=2)
    for name in ("a", "b", "c"):
        stage.put(name)
    wait_for(lambda: stage.idle, PATIENCE, "all three")
    assert sorted(seen) == ["a", "b", "c"]


def test_who_waits_for_room_goes_on_when_a_set_is_taken() -> None:
    work = Work()
    stage = Stage("test", work, most=2, gathers=True)
    stage.put("first")
    assert work.began.wait(PATIENCE)
    for name in ("a", "b"):
        stage.put(name, after=FAR_OFF)
    waiting = threading.Thread(target=stage.wait_for_room, daemon=True)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    work.go.set()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_calls_that_wait_do_so_beside_each_other() -> None:
    """Each waits for all others: one after the other, none would end."""
    together, seen = threading.Barrier(4), list[int]()

    def call(number: int) -> None:
        together.wait(PATIENCE)
        seen.append(number)

    Calls("test", threads=4).each(call, range(4), wait=True)
    assert sorted(seen) == [0, 1, 2, 3]


def test_after_one_call_that_hung_the_others_do_not_wait_for_each_other() -> None:
    """Those after it each wait for all others: one after the other, none would end."""
    together, calls = threading.Barrier(3), Calls("test", threads=4)
    for _ in range(2):
        calls.each(lambda _: None, range(50), wait=True)  # by then they are known to be quick
    assert calls.quick
    calls.each(lambda _: threading.Event().wait(0.1), range(1), wait=True)
    assert not calls.quick
    seen = list[int]()

    def call(number: int) -> None:
        together.wait(PATIENCE)
        seen.append(number)

    calls.each(call, range(3), wait=True)
    assert sorted(seen) == [0, 1, 2]


def test_a_call_that_fails_keeps_none_from_being_made() -> None:
    seen = list[int]()

    def call(number: int) -> None:
        seen.append(number)
        raise ValueError(number)

    calls = Calls("test", threads=2)
    for _ in range(50):  # by then they are known to be quick
        calls.each(call, range(2), wait=True)
    assert sorted(seen) == [0] * 50 + [1] * 50
