"""Group commit: work that several threads submit at about the same time is done by one of them.

Nobody waits for company. While one thread does the work of a set, what comes up meanwhile gathers;
the first of those does the next set. A set of one is the usual case where there is little to do.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

import structlog

from execution.orders.locks import NeedsOwnTransaction

log = structlog.get_logger(__name__)


class Item(Protocol):
    @property
    def keys(self) -> Mapping[Hashable, object]:
        """Two items with different values of one key are not done in one set."""
        ...


ItemT = TypeVar("ItemT", bound=Item)
ResultT = TypeVar("ResultT")


class Alone(Enum):
    """What comes of an item that a set could not do: its own thread does it by itself."""

    ALONE = "ALONE"


@dataclass(slots=True, eq=False)
class _Submitted(Generic[ItemT, ResultT]):
    item: ItemT
    result: ResultT | Alone = Alone.ALONE
    done: bool = False
    awake: threading.Event = field(default_factory=threading.Event)


class GroupCommit(Generic[ItemT, ResultT]):
    """`together` does a set and returns what comes of each. If it raises, nothing has happened,
    and each thread does its own item by `alone`: one that cannot be done harms no other, and its
    error reaches its own thread only."""

    def __init__(
        self,
        together: Callable[[Sequence[ItemT]], Sequence[ResultT | Alone]],
        alone: Callable[[ItemT], ResultT],
    ) -> None:
        self._together, self._alone = together, alone
        self._lock = threading.Lock()
        self._waiting: list[_Submitted[ItemT, ResultT]] = []
        self._busy = False

    def do(self, item: ItemT, *, most: int) -> ResultT:
        """What comes of the item, done in this thread or another; `most`: in one set."""
        mine = _Submitted[ItemT, ResultT](item)
        if self._leads(mine):
            self._lead(mine, most)
        return self._alone(item) if isinstance(mine.result, Alone) else mine.result

    def _leads(self, mine: "_Submitted[ItemT, ResultT]") -> bool:
        """Whether this thread does the next set; else another one has done its item."""
        with self._lock:
            self._waiting.append(mine)
            first, self._busy = not self._busy, True
        if not first:
            mine.awake.wait()
        return not mine.done

    def _lead(self, mine: "_Submitted[ItemT, ResultT]", most: int) -> None:
        taken = [mine]  # should even this fail, it is not left to wait for itself
        try:
            with self._lock:
                taken = _compatible(self._waiting, most)
            self._try(taken)
        finally:  # whatever ends this thread, the others go on
            self._hand_over(taken)

    def _try(self, taken: Sequence["_Submitted[ItemT, ResultT]"]) -> None:
        try:
            results = self._together([each.item for each in taken])
        except NeedsOwnTransaction:
            return
        except Exception:
            if len(taken) == 1:
                raise
            log.exception("a set is done one by one", size=len(taken))
            return
        for each, result in zip(taken, results, strict=True):
            each.result = result

    def _hand_over(self, taken: Sequence["_Submitted[ItemT, ResultT]"]) -> None:
        with self._lock:
            self._waiting = [each for each in self._waiting if each not in taken]
            self._busy = bool(self._waiting)
            following = self._waiting[:1]
        for each in taken:
            each.done = True
        for each in (*taken, *following):
            each.awake.set()


def _compatible(
    waiting: Iterable["_Submitted[ItemT, ResultT]"], most: int
) -> list["_Submitted[ItemT, ResultT]"]:
    """The first, and those after it that may be in one set with all before them."""
    taken: list[_Submitted[ItemT, ResultT]] = []
    values: dict[Hashable, object] = {}
    for each in waiting:
        keys = each.item.keys
        if all(values.get(key, value) == value for key, value in keys.items()):
            values.update(keys)
            taken.append(each)
        if len(taken) >= most:
            break
    return taken
