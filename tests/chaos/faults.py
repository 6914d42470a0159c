"""What strikes, and how soon everything must leave again afterwards."""

import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from django.db import connection

from execution.context import default as default_context
from execution.domain.lifecycle import ORDER_LIVE
from execution.entry import order_controls
from execution.models import Order
from execution.risk import kill_switch
from tests.chaos.audit import Blow
from tests.chaos.ground import Ground
from tests.chaos.venue import wait_until
from tests.faults import read_only_database
from tests.stack import Process


@dataclass(slots=True)
class Scene:
    """One trial as its fault sees it: the ground, the dice, and the clock of the window.

    `silent_after`: from then until `silent_until` no request for a new order may reach the broker
    (wall, seconds).
    """

    ground: Ground
    rng: random.Random
    seconds: float  # the parents' window
    orders: list[Order]
    started: float = field(default_factory=time.time)
    struck: float = 0.0
    healed: float = 0.0
    silent_after: float = float("inf")
    silent_until: float = float("inf")

    def between(self, first: float, last: float) -> None:
        """Sleep until a random moment between two fractions of the window."""
        at = self.started + self.seconds * self.rng.uniform(first, last)
        time.sleep(max(at - time.time(), 0.0))

    def strike(self) -> None:
        self.struck = self.struck or time.time()
        self.healed = time.time()

    def heal(self) -> None:
        self.healed = time.time()

    def victim(self) -> Process:
        return self.rng.choice([worker for worker in self.ground.workers if worker.alive])

    @property
    def blow(self) -> Blow:
        return Blow(
            self.struck or self.started,
            self.healed or self.started,
            self.silent_after,
            self.silent_until,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """`conduct` is the stand-in broker's; `env` goes to the processes that are started anew.

    `within`: seconds after the end of the fault in which 99 % of what it held up must have left.
    `together`: all parents start at once, with this many parents instead of the usual number.
    `seconds`: the window is at least that long, for what takes longer than the usual one.
    """

    strike: Callable[[Scene], None]
    conduct: Mapping[str, float] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    within: float | None = None
    together: int = 0
    seconds: float = 0.0


def nothing(scene: Scene) -> None:
    """The broker's conduct, or the plan, is the fault."""


def _kill_worker(scene: Scene) -> None:
    for first in (0.2, 0.5):
        scene.between(first, first + 0.2)
        victim = scene.victim()
        scene.strike()
        victim.kill()


def _strike_at(point: str) -> Callable[[Scene], None]:
    """Two workers are struck at a point in the middle of a send; the others go on."""

    def strike(scene: Scene) -> None:
        for first in (0.2, 0.5):
            scene.between(first, first + 0.2)
            scene.ground.arm(point)
            scene.strike()

    return strike


def _restart_workers(scene: Scene) -> None:
    """As a new release would: one after the other, warmly."""
    scene.between(0.1, 0.3)
    for worker in list(scene.ground.workers)[:2]:
        scene.strike()
        worker.stop()
        scene.ground.mend(**scene.ground.env)


def _freeze_worker(scene: Scene) -> None:
    scene.between(0.2, 0.4)
    victim = scene.victim()
    _frozen(scene, [victim], scene.ground.broker.lease * 2)


def _freeze_in_send(scene: Scene) -> None:
    """Frozen after its final check, with the request not yet made: the worst place to wake up."""
    scene.between(0.2, 0.4)
    scene.ground.arm("freeze-before")
    wait_until(lambda: not scene.ground.armed("freeze-before"), 20, "a worker to freeze")
    _frozen(scene, scene.ground.workers, scene.ground.broker.lease * 2)


def _frozen(scene: Scene, victims: list[Process], seconds: float) -> None:
    scene.strike()
    if len(victims) == 1:
        victims[0].signal(signal.SIGSTOP)
    time.sleep(seconds)
    for victim in victims:
        victim.signal(signal.SIGCONT)
    scene.heal()


def _kill_leader(scene: Scene) -> None:
    scene.between(0.3, 0.6)
    leader = scene.ground.leader()
    scene.strike()
    leader.kill()


def _freeze_leader(scene: Scene) -> None:
    scene.between(0.2, 0.4)
    leader = scene.ground.leader()
    scene.strike()
    leader.signal(signal.SIGSTOP)
    time.sleep(8)
    leader.signal(signal.SIGCONT)


def _kill_beat(scene: Scene) -> None:
    beat = scene.ground.stack.beat()
    scene.between(0.4, 0.6)
    scene.strike()
    beat.kill()


def _empty_redis(scene: Scene) -> None:
    scene.between(0.2, 0.5)
    scene.strike()
    scene.ground.signal_redis(signal.SIGKILL)
    time.sleep(scene.rng.uniform(0.5, 4))
    scene.ground.start_redis()
    scene.heal()


def _flush_redis(scene: Scene) -> None:
    for first in (0.2, 0.5):
        scene.between(first, first + 0.2)
        scene.ground.redis_client().flushall()
        scene.strike()


def _freeze_redis(scene: Scene) -> None:
    scene.between(0.05, 0.2)
    scene.strike()
    scene.ground.signal_redis(signal.SIGSTOP)
    time.sleep(20)
    scene.ground.signal_redis(signal.SIGCONT)
    scene.heal()


def _crash_postgres(scene: Scene) -> None:
    scene.between(0.2, 0.6)
    connection.close()
    scene.strike()
    scene.ground.crash_postgres()
    scene.ground.start_postgres()
    scene.heal()


def _read_only_postgres(scene: Scene) -> None:
    """As a failover to a standby does, that is made the leader only after a while."""
    scene.between(0.2, 0.4)
    scene.strike()
    with read_only_database():
        time.sleep(scene.rng.uniform(4, 8))
    scene.heal()


def _fill_redis(scene: Scene) -> None:
    """It answers, and refuses every write."""
    scene.between(0.1, 0.3)
    client = scene.ground.redis_client()
    scene.strike()
    client.config_set("maxmemory", "100000")
    time.sleep(scene.rng.uniform(6, 10))
    client.config_set("maxmemory", "0")
    scene.heal()


def _halt(scene: Scene) -> None:
    """Engaged while everything is due at once; released later, so that the rest can leave."""
    first = min(order.start_at for order in scene.orders).timestamp()
    time.sleep(max(first + scene.rng.uniform(0.1, 0.6) - time.time(), 0))
    now = default_context().now()
    report = kill_switch.halt(scope="SYSTEM", key="", by="chaos", reason="torture", now=now)
    scene.strike()
    wait_until(lambda: report.quiet or kill_switch.quiet(), 20, "the sends under way to end")
    scene.silent_after = time.time()
    time.sleep(5)
    scene.silent_until = time.time()
    kill_switch.resume(
        scope="SYSTEM", key="", by="chaos", reason="torture over", now=default_context().now()
    )
    scene.heal()


def _hold(scene: Scene) -> None:
    """Halted early and again when each parent's last slice rests; some parents are paused as well.
    What rests is cancelled, and leaves again after the resume."""
    for first in (0.2, 0.83):
        scene.between(first, first + 0.02)
        report = kill_switch.halt(
            scope="SYSTEM", key="", by="chaos", reason="hold", now=default_context().now()
        )
        paused = _pause_some(scene)
        scene.strike()
        wait_until(
            lambda report=report: report.quiet or kill_switch.quiet(), 20, "the sends to end"
        )
        scene.silent_after = time.time()
        time.sleep(1)
        scene.silent_until = time.time()
        kill_switch.resume(
            scope="SYSTEM", key="", by="chaos", reason="over", now=default_context().now()
        )
        for order in paused:
            with suppress(order_controls.NotAllowed):  # filled meanwhile, or its window is over
                order_controls.resume(order.pk, by="chaos", now=default_context().now())
        scene.heal()


def _pause_some(scene: Scene) -> list[Order]:
    paused = []
    for order in scene.rng.sample(scene.orders, len(scene.orders) // 10):
        with suppress(order_controls.NotAllowed):  # it has ended by now
            paused.append(order_controls.pause(order.pk, by="chaos", now=default_context().now()))
    return paused


def _cancel_all(scene: Scene) -> None:
    scene.between(0.4, 0.6)
    scene.strike()
    for order in Order.objects.filter(status__in=ORDER_LIVE):
        with suppress(order_controls.NotAllowed):  # it has ended meanwhile
            order_controls.cancel(order.pk, by="chaos", now=default_context().now())
    wait_until(kill_switch.quiet, 20, "the sends under way to end")
    scene.silent_after = time.time()
    scene.heal()


FAULTS: dict[str, Fault] = {
    "no fault": Fault(nothing),
    "worker kill -9 with pending slices": Fault(_kill_worker, within=2.0),
    "worker kill -9 between claim and send": Fault(_strike_at("kill-before"), within=2.0),
    "worker kill -9 between send and record": Fault(_strike_at("kill-after"), within=2.0),
    "worker kill -9 in the middle of a set": Fault(
        _strike_at("kill-in-set"), within=2.0, together=100
    ),
    "worker kill -9 while a set is recorded": Fault(
        _strike_at("kill-in-record"), within=2.0, together=100
    ),
    "a thread ends with a set in hand": Fault(_strike_at("end-thread"), together=100),
    "connection lost with a set in hand": Fault(_strike_at("cut-connection"), together=100),
    "poisoned slices in sets": Fault(nothing, env={"DEEPSTACK_CHAOS_POISON": "37"}, together=100),
    "workers restarted one by one": Fault(_restart_workers, within=2.0),
    "worker frozen past its lease": Fault(_freeze_worker),
    "worker frozen between final check and send": Fault(_freeze_in_send),
    "dispatch leader kill -9": Fault(_kill_leader, within=2.0),
    "dispatch leader frozen": Fault(_freeze_leader),
    "beat kill -9": Fault(_kill_beat),
    "Redis kill -9, restarted empty": Fault(_empty_redis, within=5.0),
    "Redis FLUSHALL": Fault(_flush_redis, within=5.0),
    "Redis frozen 20 s": Fault(_freeze_redis, within=10.0, seconds=50.0),
    "Redis full": Fault(_fill_redis, within=5.0, seconds=30.0),
    "PostgreSQL immediate restart": Fault(_crash_postgres, within=5.0),
    "PostgreSQL read-only failover": Fault(_read_only_postgres, within=5.0, seconds=30.0),
    "every message three times": Fault(nothing, env={"DEEPSTACK_CHAOS_TRIPLE": "1"}),
    "200 slices in one millisecond": Fault(nothing, together=200),
    "broker time-outs after acceptance": Fault(nothing, conduct={"silent": 0.2}),
    "broker drops, slow answers, rejects": Fault(
        nothing,
        conduct={
            "drop_before": 0.05,
            "drop_after": 0.05,
            "slow": 0.1,
            "reject": 0.02,
            "throttle": 0.1,
            "forget_cancel": 0.3,
        },
    ),
    "executions repeated, shuffled, late": Fault(
        nothing, conduct={"repeat": 0.5, "shuffle": 0.5, "late": 0.3, "in_parts": 0.6}
    ),
    "corrections and fills after cancel": Fault(
        nothing, conduct={"correct": 0.2, "fill_after_cancel": 0.8, "partial": 0.4}
    ),
    "HALT during 50 concurrent sends": Fault(
        _halt, conduct={"slow": 0.3}, together=50, seconds=12.0
    ),
    "HALT amid overlapping sets": Fault(_halt, together=100, seconds=12.0),
    "halt and resume with resting children": Fault(
        _hold,
        conduct={"partial": 0.5, "in_parts": 0.5, "fill_after_cancel": 0.3},
        together=200,
        seconds=40.0,
    ),
    "cancel of every parent": Fault(
        _cancel_all, conduct={"partial": 0.3, "silent": 0.05, "throttle": 0.1}
    ),
}
