"""The proving ground: private servers, the stand-in broker, workers and dispatchers, all real.

Everything lives in one folder and is gone when the run ends. Importing this needs Django to be set
up; `enter` does that for the servers it starts.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import redis
from django.utils import timezone

from deepstack import embedded, processes, servers

if TYPE_CHECKING:
    from tests.stack import Process, Stack

WORKERS = 3
THREADS = 17  # of each worker: together they can have 50 sends under way
START_SECONDS = 60.0
DISPATCHERS = 2
LEASE = 3.0  # seconds
HORIZON = 6.0  # seconds, shorter than the windows: the dispatch loop has something to feed


@dataclass(slots=True)
class Ground:
    folder: Path
    stack: "Stack"
    broker: "Broker"
    points: Path
    workers: list["Process"] = field(default_factory=list)
    dispatchers: list["Process"] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def mend(self, **env: str) -> None:
        """Replace what died, wake what was frozen. With another `env` all start anew with it."""
        if env != self.env:
            self.env = env
            for member in [*self.workers, *self.dispatchers]:
                member.kill()
        for member in [*self.workers, *self.dispatchers]:
            member.signal(signal.SIGCONT)
        self.workers = [worker for worker in self.workers if worker.alive]
        self.dispatchers = [loop for loop in self.dispatchers if loop.alive]
        while len(self.workers) < WORKERS:
            name = self._name("worker")
            command = processes.worker(name, threads=THREADS)
            self.workers.append(self.stack.start(name, command, **env))
        while len(self.dispatchers) < DISPATCHERS:
            name = self._name("dispatch")
            self.dispatchers.append(self.stack.start(name, processes.dispatch(), **env))
        try:
            wait_until(lambda: not self._silent(), START_SECONDS, "every process to show life")
        except TimeoutError as error:
            raise RuntimeError("\n".join(each.output(40) for each in self._silent())) from error

    def _name(self, kind: str) -> str:
        return f"{kind}-{len(self.stack.members) + 1}"

    def _silent(self) -> list["Process"]:
        from execution.models import Heartbeat

        fresh = timezone.now() - timedelta(seconds=3)
        beating = Heartbeat.objects.filter(seen_wall__gt=fresh).values_list("process", flat=True)
        known, host = set(beating), socket.gethostname()
        members = [*self.workers, *self.dispatchers]
        return [member for member in members if f"{host}:{member.pid}" not in known]

    @property
    def redis_data(self) -> Path:
        return self.folder / "redis"

    @property
    def sockets(self) -> Path:
        return self.folder / "run"

    def redis_client(self) -> redis.Redis:
        return redis.Redis.from_url(servers.redis_url(self.sockets))

    def signal_redis(self, number: signal.Signals) -> None:
        os.kill(int((self.redis_data / "redis.pid").read_text()), number)

    def start_redis(self) -> None:
        servers.start_redis(self.redis_data, self.sockets)

    def crash_postgres(self) -> None:
        """PostgreSQL's immediate shutdown: every session is cut, recovery at the next start."""
        pid = int((self.folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not servers.postgres_listens(self.sockets), 10, "PostgreSQL to stop")
        wait_until(lambda: not _runs(pid), 10, "PostgreSQL to end")

    def start_postgres(self) -> None:
        servers.start_postgres(self.folder / "postgres", self.sockets)

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


@dataclass(frozen=True, slots=True)
class Broker:
    """The admin's side of the stand-in broker."""

    address: str

    def behave(self, **conduct: float) -> None:
        self._ask("POST", "/conduct", conduct)

    def reset(self, seed: int, log: Path) -> None:
        self._ask("POST", "/reset", {"seed": seed, "log": str(log)})

    def settled(self) -> bool:
        return bool(self._ask("GET", "/settled"))

    def executed(self) -> list[list[object]]:
        """(execution id, revision, quantity) of all that was executed, in order."""
        found: list[list[object]] = self._ask("GET", "/executed")
        return found

    def answers(self) -> bool:
        try:
            self.settled()
        except OSError:
            return False
        return True

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection(self.address, timeout=10)
        connection.request(method, path, json.dumps(body))
        answer = connection.getresponse()
        return json.loads(answer.read())


@contextmanager
def enter(folder: Path) -> Iterator[Ground]:
    """Start the servers and the broker, and set this process up as one more member."""
    folder.chmod(0o755)
    with embedded.started(folder) as services:
        address = f"127.0.0.1:{_free_port()}"
        points = folder / "points"
        points.mkdir()
        environment = _environment(services, address, points)
        os.environ |= environment
        django.setup()
        from django.apps import apps
        from django.conf import settings
        from django.core.management import call_command

        from tests.stack import Stack

        settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
        call_command("migrate", verbosity=0, run_syncdb=True)
        stack = Stack(folder, environment=environment)
        try:
            ground = Ground(folder, stack, _start_broker(stack, address), points)
            ground.mend()
            yield ground
        finally:
            for member in stack.members:
                member.signal(signal.SIGCONT)
            stack.kill_all()


def _environment(services: embedded.Services, broker: str, points: Path) -> dict[str, str]:
    scheduling = {"LEASE_SECONDS": LEASE, "HORIZON_SECONDS": HORIZON}
    return {
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "DATABASE_URL": services.database_url,
        "REDIS_URL": services.redis_url,
        "LOG_FILE": str(points.with_name("deepstack.log")),
        "TRADING_MODE": "live",
        "LIVE_BROKER": "chaos",
        "LIVE_TRADING_CONFIRMED": "true",
        "LIMITS__MAX_ORDER_QUANTITY": "100000",
        "LIMITS__MAX_ORDER_NOTIONAL": "50000000",
        "DEEPSTACK_CHAOS_BROKER": broker,
        "DEEPSTACK_CHAOS_POINTS": str(points),
        "EXECUTION__TWAP__TIMING_RANDOMIZATION": "0.2",
        **{f"EXECUTION__SCHEDULING__{name}": str(value) for name, value in scheduling.items()},
    }


def _start_broker(stack: "Stack", address: str) -> Broker:
    port = address.rpartition(":")[2]
    command = [processes.manage()[0], "-m", "tests.chaos.broker", port, "/dev/null"]
    stack.start("broker", command)
    broker = Broker(address)
    wait_until(broker.answers, 20, "the stand-in broker to answer")
    return broker


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
