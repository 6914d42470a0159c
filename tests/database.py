"""The test database: made once for the same migrations, emptied between tests that commit."""

import fcntl
import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import TransactionTestCase
from django.test.utils import setup_databases

from deepstack.backup import programs
from deepstack.backup.programs import Server

# Filled when the database is made, the last two with the roles; no test that commits writes here.
FIXED: tuple[type[Model], ...] = (
    ContentType,
    Permission,
    Group,
    Group.permissions.through,
)


def empty(models: Iterable[type[Model]]) -> None:
    """Forget the rows of these tables, and of those that refer to them.

    TRUNCATE costs milliseconds for each table, asking whether it holds a row next to nothing.
    """
    tables = [f'"{model._meta.db_table}"' for model in models]
    any_row = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"  # noqa: S608  names of our own
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(any_row)
        if filled := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


def empty_after_each_test() -> None:
    """What Django's `flush` does after a test that commits, without its second of work: it
    truncates every table, then makes permissions and content types anew."""

    def forget(case: TransactionTestCase) -> None:
        models = apps.get_models(include_auto_created=True)
        empty(model for model in models if model not in FIXED and model._meta.managed)

    TransactionTestCase._fixture_teardown = forget  # type: ignore[method-assign]


def set_up(kept: Path | None) -> Any:
    """What `teardown_databases` takes. A run, or a process of it, that is the first with these
    migrations runs them, which takes seconds, and leaves a dump in the folder `kept` for all
    others."""
    if kept is None:
        return _run_migrations(exists=False)
    kept.mkdir(parents=True, exist_ok=True)
    dump = kept / f"{_migrations()}.dump"
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not dump.exists():
            made = _run_migrations(exists=False)
            _keep(dump)
            return made
    _restore(dump)
    return _run_migrations(exists=True)


def _run_migrations(*, exists: bool) -> Any:
    """Migrations that a database lacks are run in either case."""
    return setup_databases(
        verbosity=0, interactive=False, keepdb=exists, aliases=["default"], serialized_aliases=[]
    )


def _migrations() -> str:
    """A digest of all of them, as written, and of the server that they ran on."""
    found = hashlib.sha256(str(connection.pg_version).encode())
    for app in apps.get_app_configs():
        for file in sorted((Path(app.path) / "migrations").glob("*.py")):
            found.update(f"{app.label} {file.name}".encode() + file.read_bytes())
    return found.hexdigest()[:16]


def _keep(dump: Path) -> None:
    for outdated in dump.parent.glob("*.dump"):
        outdated.unlink()
    server = Server.of(connection.get_connection_params())
    fresh = dump.with_suffix(".new")
    _postgres("pg_dump", "--format=custom", f"--file={fresh}", server.conninfo(server.name))
    fresh.rename(dump)


def _restore(dump: Path) -> None:
    server = Server.of(connection.get_connection_params())
    name = str(connection.creation._get_test_db_name())  # type: ignore[attr-defined]
    with server.connect() as session:
        session.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    _postgres("pg_restore", f"--dbname={server.conninfo(name)}", "--single-transaction", str(dump))


def _postgres(program: str, *words: str) -> None:
    path = programs.program(program, at_least=connection.pg_version // 10_000)
    subprocess.run([path, *words], check=True)


def forgo_fsync() -> None:
    """Have the private server hand its writes to the kernel and not wait for the disk: they
    outlive every process that a test kills, though not a power cut."""
    with connection.cursor() as cursor:
        for setting in ("fsync", "full_page_writes"):
            cursor.execute(f"ALTER SYSTEM SET {setting} = off")
        cursor.execute("SELECT pg_reload_conf()")


class QuickPasswords(PBKDF2PasswordHasher):
    """Passwords that cost no quarter of a second each; the service's own processes know them, as
    a stored password says how often it was hashed."""

    iterations = 1
