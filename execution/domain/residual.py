"""What becomes of the shares that are left when an order's schedule is over."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

SHORTEST = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Policy(StrEnum):
    LEAVE = "LEAVE"
    FORCE = "FORCE"  # completed at an urgent price in the last part of the window
    CLOSE = "CLOSE"  # completed at an urgent price in the last minutes of the session
    EXTEND = "EXTEND"  # worked on by the same algorithm in a longer window
    CROSS = "CROSS"  # what a LIMIT order does that was patient long enough


@dataclass(frozen=True, slots=True)
class Terms:
    """What was decided about the residual when the order was accepted.

    `length` is that of the last part of the window (FORCE, CROSS) or of the session (CLOSE), or of
    one extension. `close` ends the session, nothing is worked beyond it; None: it never closes.
    `turns`: how many stages may still follow. `then`: what holds from the last extension on.
    """

    policy: Policy
    length: timedelta
    close: datetime | None
    turns: int
    then: "Terms | None" = None

    @property
    def is_final(self) -> bool:
        """Whether a stage takes all that is left at once, instead of following the algorithm."""
        return self.policy in (Policy.FORCE, Policy.CLOSE, Policy.CROSS)

    def schedule_end(self, start: datetime, end: datetime) -> datetime:
        """Where the algorithm's part of the window [start, end) ends."""
        if self.policy in (Policy.FORCE, Policy.CROSS):
            return end - self.length
        if self.policy == Policy.CLOSE and self.close is not None:
            return min(end, max(self.close - self.length, start + (end - start) / 2))
        return end

    def next_stage(self, *, now: datetime, end: datetime) -> "Stage | None":
        """Where an order that ends at `end` goes on once its schedule is over; None: it ends.

        The turns of a final policy share the time that is left evenly, so that each may take a
        fresh price. An extension begins now and is measured from the end that it moves.
        """
        if self.turns < 1 or self.policy == Policy.LEAVE:
            return None
        until = self._until(end)
        start = max(now, until - self.length) if self.is_final else now
        turns = min(self.turns if self.is_final else 1, (until - start) // SHORTEST)
        if turns < 1:
            return None
        after = self._after(start, until)
        if self.is_final:
            return Stage(start, start + (until - start) / turns, until, after)
        return Stage(start, after.schedule_end(start, until), until, after)

    def _until(self, end: datetime) -> datetime:
        if self.policy == Policy.CLOSE and self.close is not None:
            return self.close
        if self.policy != Policy.EXTEND:
            return end
        longer = end + self.length
        return longer if self.close is None else min(longer, self.close)

    def _after(self, start: datetime, until: datetime) -> "Terms":
        is_last = self.turns == 1 or until == self.close
        if self.then is None or not is_last:
            return replace(self, turns=self.turns - 1)
        return replace(self.then, length=min(self.then.length, (until - start) / 2))

    def as_json(self) -> dict[str, object]:
        """As plain values, which `read` takes back."""
        return {
            "policy": str(self.policy),
            "minutes": self.length / MINUTE,
            "close": self.close.isoformat() if self.close else None,
            "turns": self.turns,
            "then": self.then.as_json() if self.then else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Terms":
        close = data["close"]
        return cls(
            policy=Policy(data["policy"]),
            length=MINUTE * data["minutes"],
            close=datetime.fromisoformat(close) if close else None,
            turns=data["turns"],
            then=cls.from_json(data["then"]) if data["then"] else None,
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """Slices from `start` to `end` for what is left. `until` is the order's end from now on, and
    `terms` hold for what these slices leave."""

    start: datetime
    end: datetime
    until: datetime
    terms: Terms


@dataclass(frozen=True, slots=True)
class Schedule:
    """The part of the window in which the algorithm follows its curve: from `start` to `end`, by
    the slices from the sequence `first` on, when `done` shares had been executed before."""

    start: datetime
    end: datetime
    first: int = 0
    done: int = 0

    def share(self, part: float, quantity: int) -> float:
        """How much of the whole order is done, by its `part` of what this schedule has to do."""
        return (self.done + part * (quantity - self.done)) / quantity if self.done else part

    def as_json(self) -> dict[str, object]:
        """As plain values, which `read` takes back."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "first": self.first,
            "done": self.done,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Schedule":
        start, end = (datetime.fromisoformat(data[name]) for name in ("start", "end"))
        return cls(start, end, data["first"], data["done"])
