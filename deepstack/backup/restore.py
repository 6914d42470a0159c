"""Putting a backup in the place of the database, whose rows are kept under another name.

The backup is restored into a database beside ours first. Only when all of it is there, and what the
caller does with it has succeeded, are both renamed in one transaction: until then nothing changes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from deepstack.backup import encryption, programs
from deepstack.backup.dump import count_rows, through
from deepstack.backup.manifest import Manifest
from deepstack.backup.programs import BackupError, Server

_LONGEST_NAME = 63  # of a PostgreSQL database
_SESSIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()
"""
_RENAME = SQL("ALTER DATABASE {} RENAME TO {}")


@dataclass(frozen=True, slots=True)
class Restored:
    """`kept`: the name under which the rows of before lie; empty where there was no database."""

    manifest: Manifest
    kept: str


def restore(
    server: Server, backup: Path, *, key: str, now: datetime, prepare: Callable[[str], None]
) -> Restored:
    """Check the file, restore it beside the database, call `prepare` with the new database's name,
    and take the place of the old one. Nobody may be connected. Raises BackupError."""
    manifest = Manifest.beside(backup)
    manifest.check(backup, key)
    fresh = _beside_name(server.name, "_restoring")
    try:
        with server.beside() as session:
            refuse_another(session, server.name)
            _refuse_sessions(session, server.name)
            with _dropped_unless_renamed(session, fresh):
                _fill(server, session, backup, fresh, manifest, key)
                prepare(fresh)
                kept = _take_place(session, server.name, fresh, now)
    except psycopg.Error as error:
        raise BackupError(f"PostgreSQL: {error}".strip()) from None
    return Restored(manifest, kept)


def _refuse_sessions(session: "Connection[Any]", name: str) -> None:
    row = session.execute(_SESSIONS, [name]).fetchone()
    if row and row[0]:
        raise BackupError(
            f"{row[0]} sessions are connected to the database {name!r}: stop every process of the"
            " service (and the strategies that call it) first; nothing was changed"
        )


def refuse_another(session: "Connection[Any]", name: str) -> None:
    """Until this session ends. Two would drop, fill and rename one database beside ours."""
    row = session.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone()
    if not (row and row[0]):
        raise BackupError(
            f"another restore of the database {name!r} is running; nothing was changed"
        )


@contextmanager
def _dropped_unless_renamed(session: "Connection[Any]", fresh: str) -> Iterator[None]:
    drop = SQL("DROP DATABASE IF EXISTS {}").format(Identifier(fresh))
    session.execute(drop)  # what a restore that was killed has left
    session.execute(SQL("CREATE DATABASE {} TEMPLATE template0").format(Identifier(fresh)))
    try:
        yield
    finally:
        session.execute(drop)


def _fill(
    server: Server,
    session: "Connection[Any]",
    backup: Path,
    fresh: str,
    manifest: Manifest,
    key: str,
) -> None:
    major = max(session.info.server_version, manifest.server_version) // 10_000
    restoring = [
        programs.program("pg_restore", at_least=major),
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        f"--dbname={server.conninfo(fresh)}",
    ]
    decrypting = [encryption.command(decrypt=True)] if manifest.encrypted else []
    with backup.open("rb") as file:
        stages = [*decrypting, restoring]
        through(stages, server, key, stdin=file, stdout=None, doing="pg_restore")
    with server.connect(fresh) as inside:
        found = count_rows(inside)
    if wrong := {name for name, rows in manifest.rows.items() if found.get(name) != rows}:
        raise BackupError(
            f"restored, but other rows than were backed up: {', '.join(sorted(wrong))}"
        )


def _take_place(session: "Connection[Any]", name: str, fresh: str, now: datetime) -> str:
    kept = _beside_name(name, f"_before_{now:%Y%m%dT%H%M%S}")
    exists = session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    with session.transaction():
        if exists:
            session.execute(_RENAME.format(Identifier(name), Identifier(kept)))
        session.execute(_RENAME.format(Identifier(fresh), Identifier(name)))
    return kept if exists else ""


def _beside_name(name: str, end: str) -> str:
    return name[: _LONGEST_NAME - len(end)] + end
