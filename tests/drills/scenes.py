"""What is lost in each drill, and how the service comes back."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from deepstack.config import ROOT
from tests.chaos.audit import Row
from tests.chaos.ground import Ground
from tests.drills import release, restoring
from tests.drills.flow import Flow
from tests.drills.standby import Standby, following

WINDOW, LONG_WINDOW = 30.0, 75.0  # seconds in which the orders are worked


@dataclass(frozen=True, slots=True)
class Stage:
    """`beside`: the folder of the second machine. `release`: the other one, as git names it."""

    ground: Ground
    beside: Path
    release: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`words`: what took how long. `late`: longer than it may take."""

    row: Row
    words: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Drill:
    """`play` strikes, recovers and judges. `promise`: what must come of it, in a few words."""

    play: Callable[[Stage], Outcome]
    promise: str


def _primary(stage: Stage) -> Outcome:
    flow = _working(stage)
    with following(stage.ground.sockets, stage.beside) as standby:
        _lose_postgres(flow)
        standby.promote()
        flow.heal()
        return _went_on(flow, "primary", 10.0)


def _redis(stage: Stage) -> Outcome:
    flow = _working(stage)
    flow.lose()
    stage.ground.signal_redis(signal.SIGKILL)
    time.sleep(2)
    stage.ground.start_redis()
    flow.heal()
    return _went_on(flow, "redis", 10.0)


def _machine(stage: Stage) -> Outcome:
    """All of the first machine is gone at once; before, the second runs its PostgreSQL alone."""
    flow = _working(stage, LONG_WINDOW)
    with following(stage.ground.sockets, stage.beside) as standby:
        stage.ground.kill_all()
        stage.ground.signal_redis(signal.SIGKILL)
        _lose_postgres(flow)
        _take_over(stage.ground, standby)
        flow.heal()
        return _went_on(flow, "machine", 30.0)


def _take_over(ground: Ground, standby: Standby) -> None:
    """What a person, or a cluster manager, does on the second machine."""
    standby.promote()
    standby.start_redis()
    ground.mend(REDIS_URL=standby.redis_url)


def _restore(stage: Stage) -> Outcome:
    row, words = restoring.play(stage.ground, stage.beside)
    return Outcome(row, words)


def _upgrade(stage: Stage) -> Outcome:
    """Each process is replaced by one of the other release, warmly and one after the other:
    first back, then forward again, on the tables of this release."""
    folder = release.unpacked(stage.release, stage.beside)
    flow = _working(stage, LONG_WINDOW)
    flow.lose()
    release.replace_all(stage.ground, folder)
    back = time.time()
    flow.await_next_send(back)
    release.replace_all(stage.ground, ROOT)
    flow.heal()
    flow.await_end()
    took = f"back to {stage.release} in {back - flow.lost_at:.0f} s"
    words = f"{took}, forward again in {flow.back_at - back:.0f} s, orders worked meanwhile"
    return Outcome(flow.verdict("upgrade"), words)


DRILLS = {
    "primary": Drill(_primary, "PostgreSQL's primary dies: slices go on within 10 s"),
    "redis": Drill(_redis, "Redis is lost with all it knew: slices go on within 10 s"),
    "machine": Drill(_machine, "the machine is lost: the stand-by sends within 30 s"),
    "restore": Drill(_restore, "yesterday's backup: nothing leaves before a person's release"),
    "upgrade": Drill(_upgrade, "a release is rolled back and upgraded again under working orders"),
}


def _working(stage: Stage, seconds: float = WINDOW) -> Flow:
    flow = Flow(stage.ground, seconds)
    flow.begin()
    flow.await_sends(5)
    return flow


def _lose_postgres(flow: Flow) -> None:
    connection.close()
    flow.lose()
    flow.ground.crash_postgres()


def _went_on(flow: Flow, name: str, within: float) -> Outcome:
    """`within`: seconds from the loss to the next child, at most."""
    waited = flow.await_next_send(flow.lost_at)
    flow.await_end()
    whole = f"whole after {flow.back_at - flow.lost_at:.1f} s"
    words = f"{whole}, the next child {waited:.1f} s after the loss (at most {within:g})"
    return Outcome(flow.verdict(name), words, waited > within)
