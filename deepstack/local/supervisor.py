"""Keeps child processes running, and stops them in an order in which no work is lost."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepstack import private_files
from deepstack.local.fork_server import Forked
from deepstack.local.log_tail import WarningTail

STOP_SECONDS = 25.0  # for a warm stop; then the process is killed
HEALTHY_SECONDS = 30.0  # a process that lived longer than this is restarted at once
LONGEST_BACKOFF = 30.0
MANY_FAILURES = 3


@dataclass(slots=True)
class Child:
    """One supervised process; children of one stage are stopped together."""

    name: str
    stage: int
    command: Sequence[str]
    environment: Mapping[str, str]
    tail: WarningTail
    process: Forked
    started_at: float
    failures: int = 0
    restart_at: float | None = None


class Supervisor:
    """Start children in the order of their stages, `supervise` them often, `stop` at the end."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        """Each child's output goes to a file of its own in `folder`, its warnings to `say`."""
        self._folder = folder
        self._say = say
        self._children: list[Child] = []
        folder.mkdir(parents=True, exist_ok=True)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, stage: int
    ) -> None:
        log = self._folder / f"{name}.log"
        tail = WarningTail(log)
        process = _spawn(command, environment, log)
        self._children.append(
            Child(name, stage, command, environment, tail, process, time.monotonic())
        )

    def supervise(self) -> None:
        """Pass on warnings, and restart what died: at once, then after 1, 2, 4 ... 30 seconds."""
        for child in self._children:
            for line in child.tail.warnings():
                self._say(f"{child.name}: {line}")
            if child.restart_at is None:
                self._note_death(child)
            elif time.monotonic() >= child.restart_at:
                self._restart(child)

    def dying(self) -> list[str]:
        """The children that have ended again and again, each time soon after their start."""
        return [child.name for child in self._children if child.failures >= MANY_FAILURES]

    def stop(self) -> None:
        """The last stage first: whoever makes work goes before whoever does it."""
        for stage in sorted({child.stage for child in self._children}, reverse=True):
            leaving = [child for child in self._children if child.stage == stage]
            for child in leaving:
                child.process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for child in leaving:
                self._await_end(child, deadline)
        self._children.clear()

    def _note_death(self, child: Child) -> None:
        if (code := child.process.poll()) is None:
            return
        _kill_group(child)  # what the dead leader left behind
        now = time.monotonic()
        child.failures = 0 if now - child.started_at > HEALTHY_SECONDS else child.failures + 1
        pause = min(2.0 ** (child.failures - 2), LONGEST_BACKOFF) if child.failures > 1 else 0.0
        child.restart_at = now + pause
        ended = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self._say(f"{child.name} {ended}; restarting in {pause:.0f} s (see {child.tail.path})")

    def _restart(self, child: Child) -> None:
        child.process = _spawn(child.command, child.environment, child.tail.path)
        child.started_at, child.restart_at = time.monotonic(), None

    def _await_end(self, child: Child, deadline: float) -> None:
        try:
            child.process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            self._say(f"{child.name} did not stop within {STOP_SECONDS:.0f} s and is killed")
        _kill_group(child)
        child.process.wait()


def _spawn(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
    """In a process group of its own, so that Ctrl-C reaches the supervisor alone.

    The output goes to a file: a pipe that nobody reads would in the end stop the process.
    """
    with private_files.append_to(log) as output:
        return Forked(command, environment, Path.cwd(), output.fileno(), output.fileno())


def _kill_group(child: Child) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)
