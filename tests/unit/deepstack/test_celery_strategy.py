"""A worker calls a task in its event loop, at its ETA, and leaves what is unusual to Celery."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state
from kombu.asynchronous.timer import Timer

from deepstack.celery_strategy import _InTheLoop


@dataclass
class Loop:
    """What the strategy asks of a worker: Celery's own timer, and a place for its events."""

    timer: Timer = field(default_factory=Timer)
    told: list[tuple[str, str]] = field(default_factory=list)
    run: list[tuple[object, datetime | None]] = field(default_factory=list)
    celerys: list[Any] = field(default_factory=list)
    acknowledged: int = 0

    def __post_init__(self) -> None:
        events = SimpleNamespace(send=lambda kind, uuid, **_: self.told.append((kind, uuid)))
        consumer = SimpleNamespace(
            timer=self.timer, event_dispatcher=events, connection_errors=(OSError,)
        )
        task = SimpleNamespace(name="send", run=self._run, send_events=True)
        self.strategy = _InTheLoop(task, consumer, lambda message, *_: self.celerys.append(message))

    def _run(self, number: int, *, eta: datetime | None) -> None:
        if number == 13:
            raise ValueError("thirteen")
        self.run.append((number, eta))

    def receive(
        self, *args: object, eta: object = None, body: object = None, **more: object
    ) -> None:
        payload = [list(args), more.pop("named", {}), more.pop("embed", {"chord": None})]
        headers = {"id": f"task {args[0] if args else None}", "eta": eta, **more}
        message = SimpleNamespace(headers=headers, payload=payload, ack_log_error=self._acknowledge)
        self.strategy.receive(message, body, None, None, None)

    def _acknowledge(self, *_: object) -> None:
        self.acknowledged += 1

    def turn(self) -> None:
        """What the event loop does: all entries of the timer that are due."""
        for delay, entry in self.timer:
            if entry is None:
                assert delay is None or delay > 0
                return
            entry()


@pytest.fixture
def loop() -> Iterator[Loop]:
    yield Loop()
    state.revoked.clear()


def test_what_is_due_is_called_by_its_time_and_what_is_not_waits(loop: Loop) -> None:
    now = datetime.now(UTC)
    soon, sooner, later = (now + timedelta(seconds=each) for each in (-1, -2, 600))
    for number, eta in enumerate((later, soon, sooner)):
        loop.receive(number, eta=eta.isoformat())
    assert loop.run == []  # only in its turn
    loop.turn()
    assert loop.run == [(2, sooner), (1, soon)]
    assert loop.told[3:] == [("task-succeeded", "task 2"), ("task-succeeded", "task 1")]
    assert loop.acknowledged == 3


def test_one_timer_is_set_whatever_waits(loop: Loop) -> None:
    now = datetime.now(UTC)
    for number in range(100):
        loop.receive(number, eta=(now + timedelta(seconds=700 - number)).isoformat())
    waiting = [each for each in loop.timer.queue if not each.entry.canceled]
    assert len(waiting) == 1
    assert loop.run == []


def test_without_an_eta_it_is_called_at_once(loop: Loop) -> None:
    loop.receive(7)
    loop.turn()
    assert loop.run == [(7, None)]


def test_one_that_fails_harms_no_other(loop: Loop) -> None:
    for number in (1, 13, 2):
        loop.receive(number)
    loop.turn()
    assert [number for number, _ in loop.run] == [1, 2]
    assert ("task-failed", "task 13") in loop.told


def test_a_revoked_task_is_not_called(loop: Loop) -> None:
    loop.receive(7)
    state.revoked.add("task 7")
    loop.turn()
    assert loop.run == []
    assert loop.told[-1] == ("task-revoked", "task 7")


@pytest.mark.parametrize(
    ("args", "more"),
    [
        ((), {}),
        (("7",), {}),
        ((True,), {}),
        ((7, 8), {}),
        ((7,), {"named": {"eta": "soon"}}),
        ((7,), {"embed": {"chord": "another"}}),
        ((7,), {"embed": None}),
        ((7,), {"embed": 5}),
        ((7,), {"named": None, "embed": []}),
        ((7,), {"id": None}),
        ((7,), {"id": ["7"]}),
        ((7,), {"eta": 7}),
        ((7,), {"eta": "2026-03-02T16:00:00"}),  # of no zone
        ((7,), {"eta": "soon"}),
        ((7,), {"expires": "2026-01-01T00:00:00Z"}),
        ((7,), {"body": {"args": [7]}}),  # the first protocol of Celery
    ],
)
def test_what_says_more_or_less_is_left_to_celery(
    loop: Loop, args: tuple[object, ...], more: dict[str, Any]
) -> None:
    loop.receive(*args, **more)
    loop.turn()
    assert (loop.run, len(loop.celerys), loop.acknowledged) == ([], 1, 0)
