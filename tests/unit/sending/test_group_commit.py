"""Who does whose work when several threads bring theirs at the same time."""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic

import pytest

from execution.orders.locks import NeedsOwnTransaction
from execution.sending.group_commit import Alone, GroupCommit

PATIENCE = 10.0  # seconds
Fail = Callable[[Sequence[str]], BaseException | None]


@dataclass(frozen=True, eq=False)
class Brought:
    name: str
    keys: Mapping[Hashable, object] = field(default_factory=dict)


class Work:
    """Sets as they were done. The first one waits until `go`, so that others gather behind it."""

    def __init__(
        self, fail: Callable[[Sequence[str]], BaseException | None] = lambda _: None
    ) -> None:
        self.sets: list[list[str]] = []
        self.alone: list[str] = []
        self.began, self.go = threading.Event(), threading.Event()
        self._fail = fail
        self.group = GroupCommit[Brought, str](self._together, self._by_itself)

    def _together(self, items: Sequence[Brought]) -> list[str | Alone]:
        names = [item.name for item in items]
        self.sets.append(names)
        if len(self.sets) == 1:
            self.began.set()
            assert self.go.wait(PATIENCE)
        if error := self._fail(names):
            raise error
        return [Alone.ALONE if name.startswith("alone") else f"{name} in a set" for name in names]

    def _by_itself(self, item: Brought) -> str:
        self.alone.append(item.name)
        if item.name == "poisoned":
            raise ValueError(item.name)
        return f"{item.name} by itself"

    def bring(self, *items: Brought, most: int = 20) -> list[Future[str]]:
        """The first alone, and when it is under way the others, one after the other."""
        threads = ThreadPoolExecutor(len(items))
        done = [threads.submit(self.group.do, items[0], most=most)]
        assert self.began.wait(PATIENCE)
        for count, item in enumerate(items[1:], 1):
            done.append(threads.submit(self.group.do, item, most=most))
            self._await_waiting(count)
        self.go.set()
        threads.shutdown()
        return done

    def _await_waiting(self, count: int) -> None:
        """Until so many wait behind the first, which is under way and counts as waiting too."""
        deadline = monotonic() + PATIENCE
        while len(self.group._waiting) <= count:
            assert monotonic() < deadline


def names(*texts: str) -> list[Brought]:
    return [Brought(text) for text in texts]


def test_what_comes_up_meanwhile_is_the_next_set() -> None:
    work = Work()
    done = work.bring(*names("a", "b", "c", "d"))
    assert work.sets == [["a"], ["b", "c", "d"]]
    assert [each.result() for each in done] == [f"{name} in a set" for name in "abcd"]


def test_a_set_is_no_larger_than_asked() -> None:
    work = Work()
    work.bring(*names("a", "b", "c", "d", "e", "f"), most=2)
    assert work.sets == [["a"], ["b", "c"], ["d", "e"], ["f"]]


def test_what_does_not_go_together_is_done_one_after_the_other() -> None:
    work = Work()
    buy: Mapping[Hashable, object] = {"AAPL": "BUY"}
    sell: Mapping[Hashable, object] = {"AAPL": "SELL"}
    work.bring(
        Brought("first"),
        Brought("buy", buy),
        Brought("sell", sell),
        Brought("buy more", buy),
        Brought("other", {"MSFT": "SELL"}),
    )
    assert work.sets == [["first"], ["buy", "buy more", "other"], ["sell"]]


def test_what_a_set_leaves_is_done_by_its_own_thread() -> None:
    work = Work()
    done = work.bring(*names("a", "alone", "b"))
    assert [each.result() for each in done] == ["a in a set", "alone by itself", "b in a set"]
    assert work.alone == ["alone"]


def test_one_that_cannot_be_done_harms_no_other() -> None:
    work = Work(lambda names: ValueError("a set") if "poisoned" in names else None)
    done = work.bring(*names("a", "b", "poisoned", "c"))
    assert [done[place].result() for place in (0, 1, 3)] == [
        "a in a set",
        "b by itself",
        "c by itself",
    ]
    with pytest.raises(ValueError, match="poisoned"):
        done[2].result()


def test_what_needs_a_transaction_of_its_own_gets_one() -> None:
    work = Work(lambda names: NeedsOwnTransaction() if "b" in names else None)
    done = work.bring(*names("a", "b", "c"))
    assert [each.result() for each in done] == ["a in a set", "b by itself", "c by itself"]


def test_a_thread_that_ends_in_the_middle_strands_nobody() -> None:
    work = Work(lambda names: SystemExit() if names == ["a"] else None)
    done = work.bring(*names("a", "b", "c"))
    with pytest.raises(SystemExit):
        done[0].result()
    assert [each.result() for each in done[1:]] == ["b in a set", "c in a set"]


def test_a_thread_that_ends_with_a_set_in_hand_leaves_each_to_its_own() -> None:
    work = Work(lambda names: SystemExit() if len(names) > 1 else None)
    done = work.bring(*names("a", "b", "c"))
    with pytest.raises(SystemExit):
        done[1].result()
    assert done[2].result() == "c by itself"


def test_the_error_of_a_set_of_one_is_its_own() -> None:
    work = Work(lambda _: ValueError("told once"))
    (done,) = work.bring(*names("a"))
    with pytest.raises(ValueError, match="told once"):
        done.result()
    assert work.alone == []
