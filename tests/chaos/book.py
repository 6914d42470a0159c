"""The stand-in broker's book: what it accepted, executed and cancelled, and how it misbehaves.

Its log is the judge's evidence: one JSON line for every attempt, acceptance, cancel and execution,
written before anybody hears of it.
"""

import heapq
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TextIO

OPEN = ("WORKING", "CANCELLING")
OLD_NEWS = 30  # orders that are told again at once


@dataclass(frozen=True, slots=True)
class Conduct:
    """How likely each misbehaviour is, 0 to 1, for each request or execution it applies to."""

    silent: float = 0.0  # accepts, and answers nothing until the client gives up
    drop_before: float = 0.0  # closes the connection and has accepted nothing
    drop_after: float = 0.0  # accepts and closes the connection
    slow: float = 0.0  # accepts late, perhaps when the client has given up already
    reject: float = 0.0  # for good
    throttle: float = 0.0  # 429 with Retry-After
    forget_cancel: float = 0.0  # says yes to a cancel and does nothing
    fill_after_cancel: float = 0.0  # executes more between the cancel and its confirmation
    partial: float = 0.05  # an order whose rest is never executed
    in_parts: float = 0.25  # executed in two or three parts within half a second
    repeat: float = 0.0  # tells old news again, and every execution twice
    shuffle: float = 0.0
    late: float = 0.0  # an execution is told seconds after the status that contains it
    correct: float = 0.0  # an execution is corrected: another price, perhaps fewer shares
    answer_after: float = 0.0  # seconds that every answer to an order takes; no probability


@dataclass(slots=True)
class Done:
    """An execution as it stands; `told_at` is when the broker speaks of it (seconds, wall)."""

    execution_id: str
    quantity: int
    price: str
    executed_at: float
    told_at: float
    revision: int = 0


@dataclass(slots=True)
class Placed:
    client_order_id: str
    broker_order_id: str
    account: str
    symbol: str
    side: str
    quantity: int
    limit_price: str
    status: str = "WORKING"
    changed_at: float = 0.0
    executions: list[Done] = field(default_factory=list)

    @property
    def filled(self) -> int:
        return sum(done.quantity for done in self.executions)


class Book:
    """All orders of one trial, behind one lock; `at` runs what is due later."""

    def __init__(self, seed: int, log: Path) -> None:
        self.lock = threading.RLock()
        self.orders: dict[str, Placed] = {}
        self.conduct = Conduct()
        self.rng = random.Random(seed)
        self._log: TextIO = log.open("a")
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count(1)

    def reset(self, seed: int, log: Path) -> None:
        with self.lock:
            self._log.close()
            self.orders.clear()
            self._later.clear()
            self.conduct = Conduct()
            self.rng = random.Random(seed)
            self._log = log.open("a")

    def tell(self, kind: str, **facts: object) -> None:
        with self.lock:
            self._log.write(json.dumps({"t": time.time_ns(), "kind": kind, **facts}) + "\n")
            self._log.flush()

    def happens(self, misbehaviour: str) -> bool:
        with self.lock:
            return bool(self.rng.random() < getattr(self.conduct, misbehaviour))

    def uniform(self, low: float, high: float) -> float:
        with self.lock:
            return self.rng.uniform(low, high)

    def accept(self, wanted: Mapping[str, Any]) -> Placed | None:
        """A new order, executed as chance has it; None when its id is known already."""
        with self.lock:
            client_order_id = wanted["client_order_id"]
            if client_order_id in self.orders:
                self.tell("duplicate", client_order_id=client_order_id)
                return None
            placed = Placed(
                broker_order_id=f"b{next(self._number)}", changed_at=time.time(), **wanted
            )
            self.orders[client_order_id] = placed
            self.tell("accept", client_order_id=client_order_id, quantity=placed.quantity)
            self._plan_executions(placed)
            return placed

    def cancel(self, client_order_id: str) -> Placed | None:
        with self.lock:
            placed = self.orders.get(client_order_id)
            self.tell("cancel", client_order_id=client_order_id)
            if placed is None or placed.status != "WORKING" or self.happens("forget_cancel"):
                return placed
            placed.status = "CANCELLING"
            placed.changed_at = time.time()
            if self.happens("fill_after_cancel"):
                leaves = placed.quantity - placed.filled
                self._at(0.1, lambda: self._execute(placed, self.rng.randint(1, leaves)))
            self._at(self.rng.uniform(0.0, 0.3), lambda: self._confirm_cancel(placed))
            return placed

    def view(self, placed: Placed) -> dict[str, object]:
        """What the broker says of one order now."""
        with self.lock:
            told = [done for done in placed.executions if done.told_at <= time.time()]
            if self.happens("repeat"):
                told = told * 2
            if self.happens("shuffle"):
                self.rng.shuffle(told)
            return {
                "client_order_id": placed.client_order_id,
                "broker_order_id": placed.broker_order_id,
                "status": placed.status,
                "filled_quantity": placed.filled,
                "executions": [self._report(placed, done) for done in told],
            }

    def reports(self, account: str, since: float) -> list[dict[str, object]]:
        with self.lock:
            found = [
                placed
                for placed in self.orders.values()
                if placed.account == account and placed.changed_at >= since
            ]
            if self.happens("repeat"):
                old = list(self.orders.values())
                found += self.rng.sample(old, min(len(old), OLD_NEWS))
            if self.happens("shuffle"):
                self.rng.shuffle(found)
        return [self.view(placed) for placed in found]  # other clients' orders go on meanwhile

    def run_due(self) -> None:
        """Carry out what is due by now."""
        with self.lock:
            while self._later and self._later[0][0] <= time.time():
                heapq.heappop(self._later)[2]()

    def settled(self) -> bool:
        """Whether nothing more would happen by itself."""
        with self.lock:
            return not self._later

    def executed(self) -> list[list[object]]:
        """(execution id, revision, quantity) of all that was executed, in order."""
        with self.lock:
            return sorted(
                [done.execution_id, done.revision, done.quantity]
                for placed in self.orders.values()
                for done in placed.executions
            )

    def _at(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.time() + seconds, next(self._number), act))

    def _plan_executions(self, placed: Placed) -> None:
        whole = placed.quantity
        if self.happens("partial") and whole > 1:
            self._execute(placed, self.rng.randint(1, whole - 1))
        elif self.happens("in_parts") and whole > 2:
            first = self.rng.randint(1, whole - 1)
            self._at(self.rng.uniform(0.0, 0.2), lambda: self._execute(placed, first))
            rest = whole - first
            self._at(self.rng.uniform(0.2, 0.5), lambda: self._execute(placed, rest))
        else:
            self._execute(placed, whole)

    def _execute(self, placed: Placed, quantity: int) -> None:
        quantity = min(quantity, placed.quantity - placed.filled)
        if quantity <= 0 or placed.status not in OPEN:
            return
        now = time.time()
        told_at = now + self.rng.uniform(0.3, 2.5) if self.happens("late") else now
        done = Done(f"x{next(self._number)}", quantity, placed.limit_price, now, told_at)
        placed.executions.append(done)
        if placed.filled == placed.quantity:
            placed.status = "FILLED"
        self._changed(placed, told_at)
        self._tell_execution(placed, done)
        if self.happens("correct"):
            self._at(self.rng.uniform(0.1, 1.5), lambda: self._correct(placed, done))

    def _correct(self, placed: Placed, done: Done) -> None:
        done.revision += 1
        done.price = f"{float(done.price) * 1.001:.2f}"
        if self.rng.random() < 0.5:
            done.quantity = self.rng.randint(0, done.quantity)
        self._changed(placed, done.told_at)
        self._tell_execution(placed, done)

    def _changed(self, placed: Placed, told_at: float) -> None:
        """News are found by the time of the change, and that is when they are told."""
        placed.changed_at = time.time()
        if told_at > placed.changed_at:

            def tell() -> None:
                placed.changed_at = time.time()

            self._at(told_at - placed.changed_at, tell)

    def _tell_execution(self, placed: Placed, done: Done) -> None:
        self.tell(
            "execution",
            client_order_id=placed.client_order_id,
            execution_id=done.execution_id,
            revision=done.revision,
            quantity=done.quantity,
        )

    def _confirm_cancel(self, placed: Placed) -> None:
        if placed.status != "CANCELLING":
            return
        placed.status = "CANCELLED"
        placed.changed_at = time.time()
        self.tell("cancelled", client_order_id=placed.client_order_id)

    def _report(self, placed: Placed, done: Done) -> dict[str, object]:
        return {
            "client_order_id": placed.client_order_id,
            "account": placed.account,
            "execution_id": done.execution_id,
            "revision": done.revision,
            "quantity": done.quantity,
            "price": done.price,
            "executed_at": datetime.fromtimestamp(done.executed_at, UTC).isoformat(),
            "commission": "0.35",
        }
