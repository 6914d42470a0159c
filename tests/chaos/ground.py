"""The proving ground: private servers, a broker, workers and dispatchers, all real.

Everything lives in one folder and is gone when the run ends. Importing this needs Django to be set
up; `enter` does that for the servers it starts.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import django
import redis
from django.utils import timezone

from deepstack import processes
from deepstack.local import embedded_servers, server_programs
from tests.brokers.simulator import LIVE
from tests.chaos import peers
from tests.chaos.venue import StandIn, Venue, wait_until

if TYPE_CHECKING:
    from tests.stack import Process, Stack

START_SECONDS = 60.0
HORIZON = 6.0  # seconds, shorter than the windows: the dispatch loop has something to feed


@dataclass(frozen=True, slots=True)
class Team:
    workers: int = 3
    threads: int = 17  # of each worker: together they can have 50 sends under way
    dispatchers: int = 2


@dataclass(slots=True)
class Ground:
    folder: Path
    stack: "Stack"
    broker: Venue
    points: Path
    team: Team = Team()
    workers: list["Process"] = field(default_factory=list)
    dispatchers: list["Process"] = field(default_factory=list)
    companion: "Process | None" = None  # what the broker needs beside the workers
    env: dict[str, str] = field(default_factory=dict)

    def mend(self, **env: str) -> None:
        """Replace what died, wake what was frozen. With another `env` all start anew with it."""
        if env != self.env:
            self.env = env
            self.kill_all()
        self.wake()
        self.supervise()
        self.workers = [worker for worker in self.workers if worker.alive]
        self.dispatchers = [loop for loop in self.dispatchers if loop.alive]
        while len(self.workers) < self.team.workers:
            name = self._name("worker")
            command = processes.worker(name, threads=self.team.threads)
            self.workers.append(self.stack.start(name, command, **env))
        while len(self.dispatchers) < self.team.dispatchers:
            name = self._name("dispatch")
            self.dispatchers.append(self.stack.start(name, processes.dispatch(), **env))
        self.await_life()

    def await_life(self) -> None:
        """Until each process has shown life in the database."""
        try:
            wait_until(lambda: not self._silent(), START_SECONDS, "every process to show life")
        except TimeoutError as error:
            raise RuntimeError("\n".join(each.output(40) for each in self._silent())) from error

    def wake(self) -> None:
        for member in [*self.workers, *self.dispatchers]:
            member.signal(signal.SIGCONT)

    def supervise(self) -> None:
        """Start the broker's companion anew when it has ended, as a supervisor would."""
        if self.broker.companion and not (self.companion and self.companion.alive):
            name = self._name("companion")
            self.companion = self.stack.start(name, self.broker.companion, **self.env)

    def kill_companion(self) -> None:
        if self.companion is not None:
            self.companion.kill()

    def kill_all(self) -> None:
        """Workers, dispatchers and the companion, as when their machine loses its power."""
        for member in [*self.workers, *self.dispatchers]:
            member.kill()
        self.kill_companion()

    def _name(self, kind: str) -> str:
        return f"{kind}-{len(self.stack.members) + 1}"

    def _silent(self) -> list["Process"]:
        from execution.models import Heartbeat

        fresh = timezone.now() - timedelta(seconds=3)
        beating = Heartbeat.objects.filter(seen_at_real__gt=fresh).values_list("process", flat=True)
        known, host = set(beating), socket.gethostname()
        members = [*self.workers, *self.dispatchers]
        silent = [member for member in members if f"{host}:{member.pid}" not in known]
        if self.companion and not self.broker.serves(self.companion):
            silent.append(self.companion)
        return silent

    @property
    def redis_data(self) -> Path:
        return self.folder / "redis"

    @property
    def sockets(self) -> Path:
        return self.folder / "run"

    def redis_client(self) -> redis.Redis:
        return redis.Redis.from_url(server_programs.redis_url(self.sockets))

    def signal_redis(self, number: signal.Signals) -> None:
        os.kill(int((self.redis_data / "redis.pid").read_text()), number)

    def start_redis(self) -> None:
        server_programs.start_redis(self.redis_data, self.sockets)

    def crash_postgres(self) -> None:
        """PostgreSQL's immediate shutdown: every session is cut, recovery at the next start."""
        pid = int((self.folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)
        wait_until(
            lambda: not server_programs.postgres_listens(self.sockets), 10, "PostgreSQL to stop"
        )
        wait_until(lambda: not _runs(pid), 10, "PostgreSQL to end")

    def start_postgres(self) -> None:
        server_programs.start_postgres(self.folder / "postgres", self.sockets)

    def arm(self, point: str) -> None:
        """The next worker that reaches the point is struck."""
        (self.points / point).touch()

    def armed(self, point: str) -> bool:
        return (self.points / point).exists()

    def leader(self) -> "Process":
        """The dispatcher that leads, once one does."""
        from execution.models import Heartbeat

        def leading() -> list["Process"]:
            leads = Heartbeat.objects.filter(kind=Heartbeat.Kind.DISPATCH, detail__leads=True)
            names = set(leads.values_list("process", flat=True))
            host = socket.gethostname()
            alive = [loop for loop in self.dispatchers if loop.alive]
            return [loop for loop in alive if f"{host}:{loop.pid}" in names]

        wait_until(leading, 10, "a dispatcher to lead")
        return leading()[0]

    def disarm(self) -> None:
        for point in self.points.iterdir():
            point.unlink(missing_ok=True)


def _stand_in() -> Venue:
    return StandIn(f"127.0.0.1:{peers.free_port()}")


VENUES: dict[str, Callable[[], Venue]] = {
    "stand-in": _stand_in,
    "alpaca": peers.Alpaca,
    "ibkr": peers.Tws,
}


@contextmanager
def enter(
    folder: Path, venue: str = "stand-in", team: Team = Team(), extra: Mapping[str, str] = {}
) -> Iterator[Ground]:
    """Start the servers and the broker, and set this process up as one more member. `extra`: of
    the environment of all."""
    broker: Venue = VENUES[venue]()
    folder.chmod(0o755)
    with embedded_servers.started(folder) as services:
        points = folder / "points"
        points.mkdir()
        environment = _environment(services, broker, points) | extra
        os.environ |= environment
        django.setup()
        from django.core.management import call_command

        from tests.stack import Stack

        call_command("migrate", verbosity=0)
        stack = Stack(folder, environment=environment)
        try:
            broker.start(stack)
            ground = Ground(folder, stack, broker, points, team)
            ground.mend()
            yield ground
        finally:
            for member in stack.members:
                member.signal(signal.SIGCONT)
            stack.kill_all()


def _environment(
    services: embedded_servers.Services, broker: Venue, points: Path
) -> dict[str, str]:
    scheduling = {"LEASE_SECONDS": broker.lease, "HORIZON_SECONDS": HORIZON}
    return {
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "DATABASE_URL": services.database_url,
        "REDIS_URL": services.redis_url,
        "LOG_FILE": str(points.with_name("deepstack.log")),
        "TRADING_MODE": "live",
        **LIVE,
        **broker.environment,
        "DEEPSTACK_CHAOS_POINTS": str(points),
        "EXECUTION__TWAP__TIMING_RANDOMIZATION": "0.2",
        **{f"EXECUTION__SCHEDULING__{name}": str(value) for name, value in scheduling.items()},
    }


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
