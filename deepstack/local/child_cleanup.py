"""Ends what a killed process leaves behind: its children, and the private servers it has started.

A process that is killed cannot clean up. So it has a cleaner, a small process in a session of its
own that reads from a pipe. Whoever can write to the pipe is watched: the process itself, and every
child that inherits the `lifeline`. When the process is gone the others get time to end warmly, are
killed then, and the servers that nobody else uses are stopped.

As a program: `python -P child_cleanup.py PARENT SECONDS`, the pipe as its input.
"""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LONGEST_WARM_STOP = 30.0  # seconds; longer than any process of the service needs
LOOK_EVERY = 0.2


@dataclass(slots=True)
class _Own:
    """The end of the pipe that this process writes to, once it has a cleaner."""

    patience: float = LONGEST_WARM_STOP
    pid: int = 0
    end: int = -1


_own = _Own()


def be_patient(seconds: float) -> None:
    """How long children may outlive this process; said before the cleaner is first needed."""
    _own.patience = seconds


def lifeline() -> tuple[int, ...]:
    """What a child process inherits (`pass_fds`) that is not to outlive this one."""
    if _own.pid != os.getpid():  # also after a fork, whose child is another process
        _own.end = _start()
        _own.pid = os.getpid()
    return (_own.end,)


def guard(root: Path) -> None:
    """Have the servers of the folder stopped when this process has died."""
    (end,) = lifeline()
    os.write(end, f"{root.resolve()}\n".encode())


def _start() -> int:
    reading, writing = os.pipe()
    command = [sys.executable, "-P", __file__, str(os.getpid()), str(_own.patience)]
    subprocess.Popen(  # noqa: S603  it ends by itself
        command,
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    os.close(reading)
    return writing


def main(parent: int, patience: float) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when those it watches have
    told = b""
    kill_at = None
    while True:
        ready, _, _ = select.select([0], [], [], LOOK_EVERY)
        if ready:
            data = os.read(0, 65536)
            if not data:
                break
            told += data
        if kill_at is None and os.getppid() != parent:
            kill_at = time.monotonic() + patience
        if kill_at is not None and time.monotonic() >= kill_at:
            _kill_writers()
            break
    roots = [Path(line) for line in dict.fromkeys(told.decode().splitlines())]
    if any(root.exists() for root in roots):
        _stop_servers(roots)


def _kill_writers() -> None:
    """Of our pipe; several times, since one may be starting another."""
    own = os.readlink("/proc/self/fd/0")
    for _ in range(50):
        writers = [pid for pid in _processes() if pid != os.getpid() and _holds(pid, own)]
        for pid in writers:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not writers:
            return
        time.sleep(0.05)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _holds(pid: int, pipe: str) -> bool:
    with suppress(OSError):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if os.readlink(handle) == pipe:
                    return True
    return False


def _stop_servers(roots: list[Path]) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from deepstack.local import embedded_servers, server_programs

    for root in roots:
        with suppress(server_programs.ServerError, FileNotFoundError):
            embedded_servers.stop_unused(root)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
