"""PostgreSQL and Redis from their wheels, private to one folder.

The servers listen on Unix sockets in a folder that only their owner may enter. Whoever needs them
holds a shared lock; the last to leave stops them, or its cleaner does when it was killed.
"""

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from deepstack.config import ROOT
from deepstack.local import child_cleanup, server_programs
from deepstack.local.server_programs import ServerError

VAR = ROOT / "var"
AGAIN_AFTER = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Services:
    """Where the private servers listen; an empty string for one that does not run."""

    database_url: str
    redis_url: str


def addresses(root: Path = VAR) -> Services:
    """Where the servers of this folder listen once they run."""
    sockets = _socket_folder(root)
    return Services(server_programs.postgres_url(sockets), server_programs.redis_url(sockets))


def running(root: Path = VAR) -> Services:
    """The servers of this folder that accept connections now."""
    sockets, known = _socket_folder(root), addresses(root)
    return Services(
        database_url=known.database_url if server_programs.postgres_listens(sockets) else "",
        redis_url=known.redis_url if server_programs.redis_listens(sockets) else "",
    )


@contextmanager
def started(root: Path = VAR, *, database: bool = True, broker: bool = True) -> Iterator[Services]:
    """Run the servers that are asked for while the block lasts, or join those that run already."""
    with _use(root) as users:
        root, known = root.resolve(), addresses(root)
        child_cleanup.guard(root)
        try:
            with _alone(root):
                _start(root, database=database, broker=broker)
            yield Services(
                database_url=known.database_url if database else "",
                redis_url=known.redis_url if broker else "",
            )
        finally:
            with _alone(root):
                if _nobody_else(users):
                    _stop(root)


def revive(root: Path, *, database: bool, broker: bool) -> bool:
    """Start again what died while the caller holds the servers; whether anything had."""
    alive = running(root)
    if (alive.database_url or not database) and (alive.redis_url or not broker):
        return False
    with _alone(root.resolve()):
        _start(root.resolve(), database=database, broker=broker)
    return True


class Revival:
    """Starts again what dies while somebody holds the servers, however long it cannot start, such
    as on a disk that is full: who waits for them goes on when it can."""

    def __init__(
        self, root: Path, say: Callable[[str], None], *, database: bool, broker: bool
    ) -> None:
        self._revive = partial(revive, root, database=database, broker=broker)
        self._say = say
        self._failing = False
        self._again_at = 0.0

    def look(self) -> None:
        if time.monotonic() < self._again_at:
            return
        try:
            if self._revive():
                self._say("PostgreSQL or Redis had died and was started again")
            self._failing = False
        except ServerError as error:
            if not self._failing:
                self._say(f"error: {error}; it is tried again until it starts")
            self._failing = True
            self._again_at = time.monotonic() + AGAIN_AFTER


def stop_unused(root: Path) -> None:
    """Stop the servers of the folder unless a living process holds them. Raises FileNotFoundError
    when the folder is gone."""
    with (root / "users.lock").open("r+") as users, _alone(root):
        if _nobody_else(users):
            _stop(root)


def remove_abandoned(parent: Path) -> None:
    """Stop the servers in the folders that no living process holds, and remove those folders."""
    for lock in parent.glob("*/users.lock"):
        root = lock.parent.resolve()
        # Another process may be removing the same folder.
        with suppress(FileNotFoundError), lock.open("a") as users, _alone(root):
            if _nobody_else(users):
                _stop(root)
                shutil.rmtree(root)


def _start(root: Path, *, database: bool, broker: bool) -> None:
    sockets = _socket_folder(root)
    if database:
        server_programs.start_postgres(root / "postgres", sockets)
    if broker:
        server_programs.start_redis(root / "redis", sockets)


def _stop(root: Path) -> None:
    sockets = _socket_folder(root)
    server_programs.stop_redis(root / "redis", sockets)
    server_programs.stop_postgres(root / "postgres", sockets)


def _use(root: Path) -> TextIO:
    """The file whose shared lock says that the folder is in use.

    Opened again when the folder was removed as abandoned between its opening and its locking.
    """
    while True:
        root.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            path = root / "users.lock"
            users = path.open("a")
            fcntl.flock(users, fcntl.LOCK_SH)
            if os.path.samestat(os.fstat(users.fileno()), path.stat()):
                return users


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One process at a time starts or stops servers in the folder."""
    with (root / "start.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _nobody_else(users: TextIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _socket_folder(root: Path) -> Path:
    """`run` inside the folder, unless that path is too long for a socket or needs quoting in a URL.

    The kernel takes 107 bytes for the longest name in it.
    """
    inside = root.resolve() / "run"
    if len(os.fsencode(inside)) <= 80 and re.fullmatch(r"[A-Za-z0-9_./-]+", str(inside)):
        return inside
    digest = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]
    # Outside every folder of ours; the servers accept it only if it is private to their owner.
    return Path(f"/tmp/deepstack-{os.geteuid()}-{digest}")  # noqa: S108
