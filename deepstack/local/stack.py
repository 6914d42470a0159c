"""The whole service on one machine: `deepstack up`, or `deepstack demo`.

Starts PostgreSQL and Redis (unless DATABASE_URL or REDIS_URL name others), brings the tables up to
date, runs every process of the service, and stops all of it in order at the end.
"""

import argparse
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from deepstack import config, processes
from deepstack.local import answers, broker_simulator, embedded_servers, fork_server
from deepstack.local.child_cleanup import parent_pipe
from deepstack.local.server_programs import ServerError
from deepstack.local.supervisor import Supervisor

START_SECONDS = 90.0
WORKERS = 2
HOST = "127.0.0.1"
FLOWER_USER = "deepstack"
# What /readyz says of a broker's own process, and the value that must be true.
HEARING = (("gateway", "ok"), ("listener", "alive"))
DEMO = embedded_servers.VAR / "demo"

_console = Console(highlight=False, markup=False, soft_wrap=True)


class StackError(RuntimeError):
    """The stack cannot start or go on; the text says why and what to do."""


class Stopped(Exception):
    """The user or the system asked for the end."""


class Stack:
    """One running service whose data is in `folder`. `live` names the broker of live trading."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, live: str = "", private: bool = False
    ) -> None:
        """`private`: on servers of its own, also where the configuration names others."""
        self.folder = folder
        self.web = self.flower = self.stream = ""  # addresses, once it runs
        self.own_addresses = embedded_servers.Services("", "")
        self._live, self._private = live, private
        self._asked_to_stop = threading.Event()
        self._config = config.current()
        self._environment = {**os.environ, **environment}
        if os.geteuid() == 0:
            # Celery would say so at length for every worker.
            self._environment["PYTHONWARNINGS"] = "ignore:You're running the worker"
            say("running as root: the service needs no such rights, an ordinary user is better")
        self._supervisor = Supervisor(folder / "log", say)
        self._revival = embedded_servers.Revival(folder, say, **self._own_stores())
        self._taken_ports: list[socket.socket] = []

    def stop(self, *_: object) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._asked_to_stop.set()

    @contextmanager
    def stores(self) -> Iterator[None]:
        """PostgreSQL and Redis while the block lasts, with the tables up to date."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with embedded_servers.started(self.folder, **self._own_stores()) as services:
            self.own_addresses = services
            self._environment |= {
                "DATABASE_URL": services.database_url or self._config.database_url,
                "REDIS_URL": services.redis_url or self._config.redis_url,
                "SECRET_KEY": self._config.secret_key.get_secret_value()
                or _kept_secret(self.folder / "secret_key"),
            }
            self.manage("migrate", "--verbosity", "0")
            self.manage("roles")
            yield

    @contextmanager
    def processes(self) -> Iterator[None]:
        """Every process of the service while the block lasts, ready for orders."""
        try:
            self._start_all()
            self._await_ready()
            yield
        finally:
            self._supervisor.stop()

    def supervise(self) -> None:
        """Keep everything running for a moment; raises Stopped once the end was asked for."""
        if self._asked_to_stop.wait(0.2):
            raise Stopped
        self._supervisor.supervise()
        self._revival.look()

    def manage(self, *words: str) -> str:
        """Run a management command to its end and return what it printed."""
        self._go_on()
        stderr = sys.__stderr__.fileno() if sys.__stderr__ else None
        command, here = processes.manage(*words), Path.cwd()
        done = fork_server.run(command, self._environment, here, stderr=stderr)
        if done.returncode:
            raise StackError(f"`manage.py {' '.join(words)}` failed, see above")
        return done.stdout.strip()

    def show(self, *words: str) -> int:
        """Run a management command on this terminal beside the rest; returns its exit code."""
        command = processes.manage(*words)
        with subprocess.Popen(command, env=self._environment, pass_fds=parent_pipe()) as shown:  # noqa: S603
            try:
                while shown.poll() is None:
                    self.supervise()
            finally:
                shown.terminate()
        return shown.returncode

    def _go_on(self) -> None:
        if self._asked_to_stop.is_set():
            raise Stopped

    def _own_stores(self) -> dict[str, bool]:
        return {
            "database": self._private or not self._config.database_url,
            "broker": self._private or not self._config.redis_url,
        }

    def _start_all(self) -> None:
        """Stages end in the reverse order: whoever makes work goes before whoever does it."""
        web, flower = self._take_port(8000), self._take_port(5555)
        stream = self._take_port(8100)
        self.web, self.flower = f"http://{HOST}:{web}/", f"http://{HOST}:{flower}/"
        self.stream = f"http://{HOST}:{stream}/"
        login = self._config.flower_basic_auth.get_secret_value() or (
            f"{FLOWER_USER}:{_kept_secret(self.folder / 'flower_password')}"
        )
        if self._live:
            self._start("broker", processes.live_broker(), stage=0)
        for number in range(1, WORKERS + 1):
            self._start(f"worker-{number}", processes.worker(f"w{number}"), stage=1)
        self._start("dispatch", processes.dispatch(), stage=2)
        self._start("beat", processes.beat(self.folder / "beat-schedule"), stage=3)
        self._start(
            "flower", processes.flower(HOST, flower), stage=3, extra={"FLOWER_BASIC_AUTH": login}
        )
        self._start("stream", processes.stream(f"{HOST}:{stream}"), stage=4)
        self._start("web", processes.web(f"{HOST}:{web}"), stage=4)

    def _start(
        self, name: str, command: Sequence[str], *, stage: int, extra: Mapping[str, str] = {}
    ) -> None:
        self._go_on()
        self._supervisor.start(name, command, {**self._environment, **extra}, stage=stage)

    def _take_port(self, first: int) -> int:
        """A free port that no other stack takes before our process listens on it: each claims an
        abstract socket of the port's name, which lasts as long as the stack."""
        for port in range(first, first + 100):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            with suppress(OSError), socket.socket() as probe:
                claim.bind(f"\0deepstack-port-{port}")
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
                self._taken_ports.append(claim)
                return port
            claim.close()
        raise StackError(f"no port between {first} and {first + 99} is free on {HOST}")

    def _await_ready(self) -> None:
        self._await(self._is_ready, f"{self.web}readyz to say ready")
        self._await(lambda: answers.status(self.flower) != 0, "Flower to answer")

    def await_broker(self) -> None:
        """Until the process that live trading has besides the workers is connected."""
        self._await(self._hears, f"the connection to {self._live}")

    def _is_ready(self) -> bool:
        """But for the connection to a broker, which may be away for minutes and comes back."""
        parts = answers.parts(f"{self.web}readyz")
        return bool(parts) and all(part["ok"] for name, part in parts.items() if name != "gateway")

    def _hears(self) -> bool:
        parts = answers.parts(f"{self.web}readyz")
        return any(parts.get(name, {}).get(key) for name, key in HEARING)

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        deadline, logs = time.monotonic() + START_SECONDS, self.folder / "log"
        while not condition():
            if dying := self._supervisor.dying():
                raise StackError(f"{', '.join(dying)} cannot start; see the logs in {logs}")
            if time.monotonic() > deadline:
                raise StackError(f"waited {START_SECONDS:.0f} s for {what}; see the logs in {logs}")
            self.supervise()


def up(folder: Path) -> int:
    """Run until somebody asks for the end."""
    settings = config.current()
    live = settings.live_broker if settings.trading_mode == "live" else ""
    with _only_one(folder) as note, _stopping_on_signals(Stack(folder, {}, live=live)) as stack:
        say("starting ...")
        with stack.stores():
            password = stack.manage("first_admin")
            with stack.processes():
                note.write_text(f"{stack.web} (process {os.getpid()})")
                say(_welcome(stack, password))
                while True:
                    stack.supervise()


def demo(asked: argparse.Namespace) -> int:
    """Run the demonstration on data of its own; the exit code is the demonstration's."""
    DEMO.mkdir(parents=True, exist_ok=True)
    embedded_servers.remove_abandoned(DEMO)
    folder = Path(tempfile.mkdtemp(dir=DEMO, prefix="run-"))
    environment = {
        "TRADING_MODE": "paper",
        "LOG_FILE": str(folder / "log" / "deepstack.log"),
        "MARKET__SOURCE": "replay" if asked.bars else "simulated",
        # Nobody is to be woken.
        "ALERT_WEBHOOK_URL": "",
        "SENTRY_DSN": "",
    }
    if asked.bars:
        # A minute may pass between two trades of a thin name, and its price moves on meanwhile.
        environment["EXECUTION__ROUTING__CHILD_TOLERANCE_BPS"] = "50"
    if not asked.broker:
        return _demonstrate(asked, folder, environment)
    with broker_simulator.running(asked.broker, folder / "log") as broker:
        return _demonstrate(asked, folder, {**environment, **broker.environment}, broker)


def _demonstrate(
    asked: argparse.Namespace,
    folder: Path,
    environment: Mapping[str, str],
    broker: broker_simulator.Simulator | None = None,
) -> int:
    names = ("symbol", "date", "speed", "minutes")
    chosen = [(f"--{name}", value) for name in names if (value := getattr(asked, name))]
    words = [word for pair in chosen for word in pair]
    stack = Stack(folder, environment, live=asked.broker, private=True)
    with _stopping_on_signals(stack):
        say("starting PostgreSQL, Redis and every process of the service ...")
        with stack.stores():
            if asked.bars:
                say(stack.manage("load_bars", str(asked.bars), *words[:4]))
                say(stack.manage("demo", "--start-clock-only", *words))
            with stack.processes():
                if broker:
                    stack.await_broker()
                    say(broker.disclaimer)
                    say(stack.manage("check_broker"))
                code = stack.show("demo", *words)
                if broker:
                    say("what we booked, compared with the simulator's own account:")
                    code = stack.show("reconcile") or code
                    say(f"all of this was traded with a simulator of {broker.name}: {broker.log}")
                say("stopping ...")
        say(f"stopped; the logs are in {folder / 'log'}")
    return code


def say(text: str) -> None:
    # The terminal may be gone; what is left to do must be done all the same.
    with suppress(OSError):
        _console.print(text)


def main(words: Sequence[str] | None = None) -> int:
    """Run `up` or `demo` with its options (default: those of the process)."""
    asked = _arguments(words)
    try:
        if asked.what == "up":
            return up(asked.data.resolve())
        return demo(asked)
    except Stopped:
        say("stopped")
        return 0 if asked.what == "up" else 130
    except (StackError, ServerError, broker_simulator.SimulatorError, config.ConfigError) as error:
        say(f"error: {error}")
        return 1


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deepstack", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    service = commands.add_parser("up", help="run until Ctrl-C")
    service.add_argument(
        "--data", type=Path, default=embedded_servers.VAR, help="the folder of its data"
    )
    trial = commands.add_parser("demo", help="show the guide's scenarios and stop")
    trial.add_argument("--bars", type=Path, help="CSV of one-minute bars to replay")
    trial.add_argument("--symbol", default="", help="whose bars")
    trial.add_argument("--date", default="", help="the day to replay, such as 2024-06-12")
    trial.add_argument("--speed", default="", help="market seconds for each second")
    trial.add_argument("--minutes", default="", help="windows of the guide's scenarios")
    trial.add_argument(
        "--broker",
        default="",
        choices=["", *broker_simulator.NAMES],
        help="trade live, with a simulator of this broker that needs no key",
    )
    asked = parser.parse_args(words)
    if asked.what == "demo" and asked.broker and asked.bars:
        parser.error("--bars belongs to the paper market, not to --broker")
    if asked.what == "demo" and asked.bars:
        if not (asked.symbol and asked.date):
            parser.error("--bars needs --symbol and --date")
        if not asked.bars.is_file():
            parser.error(f"--bars: there is no file {asked.bars}")
    return asked


@contextmanager
def _stopping_on_signals(stack: Stack) -> Iterator[Stack]:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stack.stop)
    yield stack


@contextmanager
def _only_one(folder: Path) -> Iterator[Path]:
    """One stack for one folder; yields the file in which it notes where it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "stack.address"
    with (folder / "stack.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = note.read_text() if note.exists() else "it is still starting"
            raise StackError(f"a stack runs in this folder already: {where}") from None
        note.unlink(missing_ok=True)
        yield note


def _kept_secret(path: Path) -> str:
    """The secret in the file, made at its first use; only its owner may read it."""
    with suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text()


def _welcome(stack: Stack, password: str) -> str:
    settings = config.current()
    login = (
        f"user admin, password {password} (shown this once)"
        if password
        else "as before; forgotten: .venv/bin/python manage.py changepassword admin"
    )
    flower = (
        "as FLOWER_BASIC_AUTH says"
        if settings.flower_basic_auth.get_secret_value()
        else f"user {FLOWER_USER}, password in {stack.folder / 'flower_password'}"
    )
    return f"""
The service is up: {settings.trading_mode} trading, {settings.market.source} market.

  admin    {stack.web}admin/
           {login}
  API      {stack.web}api/v1/docs/ (after signing in)
  stream   {stack.stream}api/v1/orders/stream
  Flower   {stack.flower}
           {flower}
  logs     {settings.log_file}, and {stack.folder / "log"} for each process
{_for_other_terminals(stack)}
Ctrl-C stops everything; orders in progress go on at the next start.
"""


def _for_other_terminals(stack: Stack) -> str:
    """Commands look for the servers in the usual folder."""
    own = stack.own_addresses
    named = {"DATABASE_URL": own.database_url, "REDIS_URL": own.redis_url}
    words = " ".join(f"{name}='{address}'" for name, address in named.items() if address)
    if stack.folder == embedded_servers.VAR or not words:
        return ""
    return f"\nCommands in another terminal need:\n  export {words}\n"


if __name__ == "__main__":
    sys.exit(main())
