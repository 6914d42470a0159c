"""Python processes that start without reading the libraries anew.

Imports cost each process of the service a second of processor and 60 MB. Here each is forked from a
server that has read what `preloaded` names (multiprocessing's fork server) and shares that memory.
It then runs its module as `python -m` does, with an environment, an output and a session of its
own; the service's own modules and its settings it imports itself.
"""

import atexit
import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

import celery.platforms
from setproctitle import setproctitle
from typing_extensions import override

from deepstack.local.child_cleanup import parent_pipe

PR_SET_PDEATHSIG = 1

_servers = multiprocessing.get_context("forkserver")
_servers.set_forkserver_preload(["deepstack.local.preloaded", __name__])


class Forked:
    """As much of a `subprocess.Popen` as its users need. It gets SIGTERM when the fork server ends,
    which does so when this process is gone."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        stdout: int,
        stderr: int,
    ) -> None:
        """`command` is this Python, `-m`, a module and its words; `stdout` and `stderr` are open
        file descriptors."""
        if tuple(command[:2]) != (sys.executable, "-m"):
            raise ValueError(f"only a module of {sys.executable} can be forked, not {command}")
        self.args = list(command)
        handles = [_Handle(each) for each in (stdout, stderr, *parent_pipe())]
        self._process = _servers.Process(
            target=_become, args=(self.args, dict(environment), folder, handles), daemon=True
        )
        self._process.start()
        self.pid: int = self._process.pid or 0
        with suppress(ProcessLookupError):
            while os.getpgid(self.pid) != self.pid:  # a signal to its group would go astray
                time.sleep(0.001)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if (code := self.returncode) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    timeout: float | None = None,
    stderr: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """To its end; what it prints is caught, unless errors go to the descriptor `stderr`. Raises
    subprocess.TimeoutExpired, once the process is killed."""
    with tempfile.TemporaryFile() as caught, tempfile.TemporaryFile() as errors:
        outputs = caught.fileno(), errors.fileno() if stderr is None else stderr
        process = Forked(command, environment, folder, *outputs)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(command, code, _text(caught), _text(errors))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


class _Handle:
    """A file descriptor that the fork server passes on; in the child it is a number."""

    def __init__(self, number: int) -> None:
        self._number = number

    @override
    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _opened, (DupFd(self._number),)


def _opened(handle: Any) -> int:
    number: int = handle.detach()
    return number


def _become(
    command: list[str], environment: dict[str, str], folder: Path, handles: list[int]
) -> None:
    """What an exec would have set, and then the module."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stdout, stderr, *_ = handles
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.chdir(folder)
    _take_over(environment)
    # The command says more than Celery's "[celeryd: ...]".
    vars(celery.platforms)["_setproctitle"] = None
    setproctitle(" ".join(command))
    sys.argv = command[2:]
    # Whoever asks for the fork may have imported the module, and so has this process.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    try:
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends without them


def _take_over(environment: Mapping[str, str]) -> None:
    """What Python reads from the environment at its start, too."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.path[:0] = [os.getcwd(), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    for rule in filter(None, environment.get("PYTHONWARNINGS", "").split(",")):
        action, message, *_ = [*rule.split(":"), ""]
        warnings.filterwarnings(action, message)  # type: ignore[arg-type]
