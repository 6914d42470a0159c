"""Ends what a killed process leaves behind: its children, and the private servers it has started.

A process that is killed cannot clean up. So it has a cleaner (`orphan_cleanup`), a small process in
a session of its own that reads from a pipe. Whoever can write to the pipe is watched: the process
itself, and every child that inherits the `parent_pipe`. When the process is gone the others get
time to end warmly, are killed then, and the servers that nobody else uses are stopped.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LONGEST_WARM_STOP = 30.0  # seconds; longer than any process of the service needs
CLEANER = Path(__file__).with_name("orphan_cleanup.py")


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


def parent_pipe() -> tuple[int, ...]:
    """What a child process inherits (`pass_fds`) that is not to outlive this one."""
    if _own.pid != os.getpid():  # also after a fork, whose child is another process
        _own.end = _start()
        _own.pid = os.getpid()
    return (_own.end,)


def guard(root: Path) -> None:
    """Have the servers of the folder stopped when this process has died."""
    (end,) = parent_pipe()
    os.write(end, f"{root.resolve()}\n".encode())


def _start() -> int:
    reading, writing = os.pipe()
    command = [sys.executable, "-P", str(CLEANER), str(os.getpid()), str(_own.patience)]
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
