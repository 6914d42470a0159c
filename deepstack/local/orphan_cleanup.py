"""Watches a process, and ends what it leaves behind when it was killed (`child_cleanup` starts it).

As a program: `python -P orphan_cleanup.py PARENT SECONDS`, the pipe as its input. It imports the
package only when there are servers to stop: it starts with every process of the service.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

CHECK_EVERY = 0.2  # seconds


def main(parent: int, patience: float) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when those it watches have
    named = b""
    kill_at = None
    while True:
        ready, _, _ = select.select([0], [], [], CHECK_EVERY)
        if ready:
            data = os.read(0, 65536)
            if not data:
                break
            named += data
        if kill_at is None and os.getppid() != parent:
            kill_at = time.monotonic() + patience
        if kill_at is not None and time.monotonic() >= kill_at:
            _kill_writers()
            break
    roots = [Path(line) for line in dict.fromkeys(named.decode().splitlines())]
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
