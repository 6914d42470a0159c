"""The service's own processes, run for real against the test database and Redis."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
import redis
from django.apps import apps
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

from deepstack import processes
from deepstack.config import ROOT
from deepstack.local import fork_server
from deepstack.local.child_cleanup import parent_pipe
from execution.market import clock
from execution.models import Heartbeat
from tests import database

T = TypeVar("T")

START_SECONDS = 30.0
# Between two looks: whoever waits long takes the processor from what it waits for.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.15
_MARK = "deepstack-tests"  # in a Redis database that tests may empty
_running: list["Stack"] = []


def wait_for(condition: Callable[[], T], timeout: float, what: str) -> T:
    """The condition's first true value; fails with `what` when the time-out (seconds) is over."""
    deadline, pause = time.monotonic() + timeout, SHORTEST_PAUSE
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:g} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.3, LONGEST_PAUSE)
    return value


@dataclass(slots=True)
class Process:
    """One process of the stack, the leader of a process group of its own."""

    name: str
    popen: fork_server.Forked | subprocess.Popen[bytes]
    log: Path
    url: str = ""  # of a web process

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """To the whole group: SIGSTOP freezes it, SIGCONT wakes it."""
        if self.popen.returncode is not None:
            return  # its number may be another's by now, such as a backend's of PostgreSQL
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """As a power cut would: nothing of the group gets to say goodbye."""
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, patience: float = 40.0) -> int:
        """End it warmly and return its exit code; fails when it takes longer than `patience`."""
        self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"{self.name} did not stop within {patience:g} s of SIGTERM")

    def output(self, lines: int | None = None) -> str:
        text = self.log.read_text(errors="replace").splitlines()
        return "\n".join(text[-lines:] if lines else text)


@dataclass(slots=True)
class Stack:
    """Processes over one test database and one Redis; `environment` goes to all of them."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    members: list[Process] = field(default_factory=list)

    def worker(self, *, queues: str = processes.QUEUES, threads: int = 8, **env: str) -> Process:
        """Returns once its first heartbeat is in the database; `env` is for this process alone."""
        name = self._name("worker")
        started = self.start(name, processes.worker(name, queues, threads), **env)
        return self._beating(started)

    def dispatcher(self, **env: str) -> Process:
        """Returns once its first heartbeat is in the database."""
        return self._beating(self.start(self._name("dispatch"), processes.dispatch(), **env))

    def team(self, workers: int = 1, **env: str) -> list[Process]:
        """Workers and a dispatcher, last in the list, which start side by side. Returns once each
        has a heartbeat in the database."""
        names = [f"worker-{len(self.members) + number}" for number in range(1, workers + 1)]
        started = [self.start(name, processes.worker(name), **env) for name in names]
        started.append(self.start(self._name("dispatch"), processes.dispatch(), **env))
        return [self._beating(process) for process in started]

    def beat(self, **env: str) -> Process:
        name = self._name("beat")
        started = self.start(name, processes.beat(self.folder / f"{name}.schedule"), **env)
        self._wait(started, lambda: "celery beat" in started.output(), "start")
        return started

    def web(self, **env: str) -> Process:
        """Returns once it answers /healthz at its `url`."""
        address = f"127.0.0.1:{free_port()}"
        started = self.start(self._name("web"), processes.web(address), **env)
        started.url = f"http://{address}"
        self._wait(started, lambda: status_of(f"{started.url}/healthz") == 200, "answer")
        return started

    def start(self, name: str, command: Sequence[str], **env: str) -> Process:
        """Any command, in a process group of its own, with the stack's environment."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            popen = _started(command, self.env(**env), output)
        self.members.append(Process(name, popen, log))
        return self.members[-1]

    def manage(
        self, *words: str, timeout: float = 60, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one management command to its end."""
        command = processes.manage(*words)
        return fork_server.run(command, self.env(**env), ROOT, timeout=timeout)

    def env(self, **more: str) -> dict[str, str]:
        """The environment of a process of this stack, for scripts that are started by hand."""
        ours = {
            "DATABASE_URL": database_url(),
            "REDIS_URL": settings.REDIS_URL,
            "SECRET_KEY": "only-for-tests-" + "x" * 40,
            "TRADING_MODE": "paper",
            "LOG_FILE": str(self.folder / "deepstack.log"),
            # What a process prints is what tests wait for: into a file it would be kept back.
            "PYTHONUNBUFFERED": "1",
        }
        return os.environ | ours | self.environment | more

    def kill_all(self) -> None:
        for process in self.members:
            process.kill()
        self.members.clear()

    def _name(self, kind: str) -> str:
        return f"{kind}-{len(self.members) + 1}"

    def _beating(self, process: Process) -> Process:
        sender = f"{socket.gethostname()}:{process.pid}"
        beats = Heartbeat.objects.filter(process=sender)
        self._wait(process, beats.exists, "show a heartbeat")
        return process

    def _wait(self, process: Process, condition: Callable[[], bool], what: str) -> None:
        def ready() -> bool:
            if not process.alive:
                ended = f"{process.name} ended at its start with {process.popen.returncode}"
                pytest.fail(f"{ended}:\n{process.output(60)}")
            return condition()

        wait_for(ready, START_SECONDS, f"{process.name} to {what}")


def _started(
    command: Sequence[str], environment: Mapping[str, str], output: IO[bytes]
) -> fork_server.Forked | subprocess.Popen[bytes]:
    """Forked, where it is a module of this Python; a library is preloaded by exec alone."""
    preloaded = environment.get("LD_PRELOAD") != os.environ.get("LD_PRELOAD")
    if tuple(command[:2]) == (sys.executable, "-m") and not preloaded:
        return fork_server.Forked(command, environment, ROOT, output.fileno(), output.fileno())
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=parent_pipe(),
    )


def database_url() -> str:
    """Of the test database that this process is connected to."""
    options = connection.settings_dict
    parts = {
        "host": options["HOST"] or options["OPTIONS"].get("host", ""),
        "port": str(options["PORT"]),
    }
    query = "&".join(f"{key}={value}" for key, value in parts.items() if value)
    login = f"{options['USER']}:{options['PASSWORD']}"
    return f"postgresql://{login}@/{options['NAME']}?{query}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status_of(url: str, timeout: float = 6.0) -> int:
    """The HTTP status of a GET; 0 when nobody answers."""
    try:
        with urlopen(url, timeout=timeout) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return 0


def empty_redis() -> None:
    """Forget all tasks; refuses a Redis database that holds something no test wrote."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        if client.dbsize() and not client.exists(_MARK):
            pytest.exit(
                f"REDIS_URL ({settings.REDIS_URL}) holds keys that no test wrote: give the tests"
                " a database number of their own, or unset it",
                returncode=2,
            )
        client.flushdb()
        client.set(_MARK, "may be emptied")


def empty_tables() -> None:
    """Forget all orders, bars, alerts and settings that tests have stored; people stay."""
    database.empty(
        model
        for label in ("execution", "monitoring")
        for model in apps.get_app_config(label).get_models()
    )
    clock.forget()


def logs_of_running_stacks() -> list[tuple[str, str]]:
    return [
        (f"log of {process.name}", process.output(60))
        for running in _running
        for process in running.members
    ]


class SessionStacks:
    """The stack that most tests share; it makes way for a test that needs the stage alone."""

    def __init__(self, new_folder: Callable[[], Path]) -> None:
        self._new_folder = new_folder
        self._shared: Stack | None = None

    def shared(self) -> Stack:
        """Two workers and a dispatcher; whatever a test killed of them is replaced."""
        if self._shared and all(process.alive for process in self._shared.members):
            return self._shared
        made = self.alone()
        made.team(workers=2)
        self._shared = made
        return made

    def alone(self) -> Stack:
        """A stack of no processes, with an empty Redis and no rows; the shared one ends."""
        self.end()
        empty_redis()
        made = Stack(self._new_folder())
        _running.append(made)
        return made

    def end(self) -> None:
        """Kill what runs and forget what it stored: tests without processes look at all rows."""
        self._shared = None
        if _running:
            while _running:
                _running.pop().kill_all()
            empty_tables()


@pytest.fixture(scope="session")
def session_stacks(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SessionStacks]:
    stacks = SessionStacks(lambda: tmp_path_factory.mktemp("stack"))
    yield stacks
    with django_db_blocker.unblock():
        stacks.end()


@pytest.fixture(scope="module")
def ended_with_the_module(
    session_stacks: SessionStacks, django_db_blocker: DjangoDbBlocker
) -> Iterator[SessionStacks]:
    yield session_stacks
    with django_db_blocker.unblock():
        session_stacks.end()


@pytest.fixture
def stack(
    ended_with_the_module: SessionStacks, django_db_blocker: DjangoDbBlocker
) -> Iterator[Stack]:
    """The stack that a module's tests share, already running. Rows are committed and stay until
    the module ends: look only at your own."""
    with django_db_blocker.unblock():
        yield ended_with_the_module.shared()


@pytest.fixture
def empty_stack(
    session_stacks: SessionStacks, django_db_blocker: DjangoDbBlocker
) -> Iterator[Stack]:
    """A stack of its own with no process yet; everything it started is killed afterwards."""
    with django_db_blocker.unblock():
        yield session_stacks.alone()
        session_stacks.end()
