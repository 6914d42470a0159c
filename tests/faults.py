"""Faults of what the service stands on, as an operator or a machine brings them about."""

import os
import resource
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.db import connection

from deepstack.local import embedded_servers
from tests.stack import database_url

_LIBRARIES = (
    Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"),
    Path("/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"),
    Path(os.environ.get("LIBFAKETIME", "/usr/lib/faketime/libfaketimeMT.so.1")),
    # Where `make test-clock` puts it.
    Path(sys.prefix, "false_clock/libfaketime/vendor/libfaketime/src/libfaketime.so.1"),
)
FAKETIME = next((path for path in _LIBRARIES if path.exists()), None)


def clock_ahead(seconds: float) -> dict[str, str]:
    """The environment of a process whose wall clock is ahead of this one's by so much."""
    ours = float(os.environ.get("FAKETIME", "0").rstrip("s"))  # under `make test-clock`
    return {
        "LD_PRELOAD": os.environ.get("LD_PRELOAD") or str(FAKETIME),
        "FAKETIME": f"{ours + seconds:+.0f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def in_own_session(statement: str) -> None:
    """Done by an administrator, whatever becomes of all other sessions."""
    with psycopg.connect(database_url(), autocommit=True) as own:
        own.execute("SET default_transaction_read_only = off")
        own.execute(statement)


@contextmanager
def read_only_database() -> Iterator[None]:
    """As a leader that has become a standby: every session begins anew, and cannot write."""
    name = connection.settings_dict["NAME"]
    connection.close()
    in_own_session(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        in_own_session(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        yield
    finally:
        in_own_session(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        connection.close()


@contextmanager
def own_redis() -> Iterator[str]:
    """The address of a Redis that nobody else uses."""
    folder = embedded_servers.VAR / "test" / f"redis-{os.getpid()}-{secrets.token_hex(3)}"
    with embedded_servers.started(folder, database=False) as services:
        yield services.redis_url
    embedded_servers.remove_abandoned(folder.parent)


@contextmanager
def no_longer_file_than(length: int) -> Iterator[None]:
    """A disk without room for more, in bytes, for this process and those it starts meanwhile."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
