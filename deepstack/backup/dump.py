"""Making a backup of a running service: one file, checked, with a manifest beside it."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from deepstack.backup import encryption, programs
from deepstack.backup.manifest import SUFFIX, Manifest, sha256
from deepstack.backup.programs import BackupError, Server

_TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = 'public' AND relkind = 'r' ORDER BY relname
"""


def make(server: Server, folder: Path, *, key: str) -> Manifest:
    """Dump the database as it is at one moment, while others write, into `folder`; encrypted where
    there is a `key`. The whole file is read back before its manifest is written, and a file
    without a manifest is no backup. Raises BackupError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with _snapshot(server) as (session, snapshot, taken):
            path = folder / f"deepstack-{taken:%Y%m%dT%H%M%SZ}.dump{'.enc' if key else ''}"
            _dump(server, path, snapshot, session.info.server_version // 10_000, key)
            rows = count_rows(session)
            version = session.info.server_version
    except psycopg.Error as error:
        raise BackupError(f"PostgreSQL: {error}".strip()) from None
    _read_back(server, path, version // 10_000, key)
    made = Manifest(
        file=path.name,
        taken_at=taken.isoformat(),
        database=server.name,
        server_version=version,
        encrypted=bool(key),
        size=path.stat().st_size,
        sha256=sha256(path),
        rows=rows,
    )
    made = made.sealed(key) if key else made
    made.write(folder)
    return made


def keep_newest(folder: Path, most: int) -> list[str]:
    """Remove all but the newest finished backups of the folder; the names of those removed."""
    finished = sorted(folder.glob(f"deepstack-*.dump*{SUFFIX}"), reverse=True)
    gone = []
    for manifest in finished[most:]:
        backup = manifest.with_name(manifest.name.removesuffix(SUFFIX))
        manifest.unlink()
        backup.unlink(missing_ok=True)
        gone.append(backup.name)
    return gone


def count_rows(session: "Connection[Any]") -> dict[str, int]:
    """Rows of each table, as the session sees them."""
    names = [name for (name,) in session.execute(_TABLES).fetchall()]
    counts = {}
    for name in names:
        counting = SQL("SELECT count(*) FROM {}").format(Identifier("public", name))
        row = session.execute(counting).fetchone()
        counts[name] = int(row[0]) if row else 0
    return counts


@contextmanager
def _snapshot(server: Server) -> "Iterator[tuple[Connection[Any], str, datetime]]":
    """A session whose snapshot others may share, as long as the block lasts; and its moment."""
    with server.connect() as session:
        session.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = session.execute("SELECT pg_export_snapshot(), now()").fetchone()
        if row is None:
            raise BackupError("PostgreSQL exported no snapshot")
        yield session, row[0], row[1].astimezone(UTC)


def _dump(server: Server, path: Path, snapshot: str, major: int, key: str) -> None:
    dumping = [
        programs.program("pg_dump", at_least=major),
        "--format=custom",
        f"--snapshot={snapshot}",
        f"--dbname={server.conninfo(server.name)}",
    ]
    stages = [dumping] + ([encryption.command(decrypt=False)] if key else [])
    with _part_of(path) as part, part.open("wb") as file:
        through(stages, server, key, stdin=None, stdout=file, doing="pg_dump")
        file.flush()
        os.fsync(file.fileno())
        part.rename(path)


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A file of this run alone, gone at the end unless it has become the backup. Two runs of one
    second would write into each other's."""
    part = path.with_name(path.name + ".part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise _taken(path) from None
    try:
        if path.exists():
            raise _taken(path)
        yield part
    finally:
        part.unlink(missing_ok=True)


def _taken(path: Path) -> BackupError:
    return BackupError(f"{path} is the backup of another run, of the same second; run it again")


def _read_back(server: Server, path: Path, major: int, key: str) -> None:
    """Decrypt and decompress all of it, into nothing."""
    reading = [programs.program("pg_restore", at_least=major), f"--file={os.devnull}"]
    stages = ([encryption.command(decrypt=True)] if key else []) + [reading]
    with path.open("rb") as file:
        through(stages, server, key, stdin=file, stdout=None, doing=f"reading {path.name} back")


def through(
    stages: Sequence[Sequence[str]],
    server: Server,
    key: str,
    *,
    stdin: IO[bytes] | None,
    stdout: IO[bytes] | None,
    doing: str,
) -> None:
    """Run programs one behind the other. Raises BackupError with their last words when one
    failed."""
    environment = encryption.environment(server.environment(), key)
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryFile() as said:
        for stage in stages:
            before = running[-1].stdout if running else stdin
            last = len(running) == len(stages) - 1
            process = subprocess.Popen(  # noqa: S603
                stage,
                env=environment,
                stdin=before or subprocess.DEVNULL,
                stdout=(stdout or subprocess.DEVNULL) if last else subprocess.PIPE,
                stderr=said,
            )
            if running and before:
                before.close()  # or the one before would not notice that its reader has died
            running.append(process)
        if any(process.wait() for process in running):
            said.seek(0)
            words = said.read().decode(errors="replace")
            raise BackupError(f"{doing} failed: {programs.last_words(words)}")
