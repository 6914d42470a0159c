"""A pooler before PostgreSQL: with sessions it is taken, with transactions the start refuses."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from psycopg import connect

from deepstack import database
from deepstack.database import pooling
from deepstack.local.server_programs import SYSTEM_USER
from tests.stack import free_port, wait_for

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

needs_pgbouncer = pytest.mark.skipif(
    shutil.which("pgbouncer") is None, reason="pgbouncer is not installed"
)


def parameters() -> dict[str, object]:
    own = ("cursor_factory", "context", "prepare_threshold")
    return {k: v for k, v in connection.get_connection_params().items() if k not in own}


@contextmanager
def pgbouncer(folder: Path, mode: str, *settings: str) -> Iterator[dict[str, object]]:
    """The same database through it; `settings` are lines of its configuration."""
    port, known = free_port(), parameters()
    lines = [
        "[databases]",
        f"* = host={known['host']} user={known['user']}",
        "[pgbouncer]",
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =",
        f"auth_type = any\npool_mode = {mode}",
        *settings,
        *([f"user = {SYSTEM_USER}"] if os.geteuid() == 0 else []),
    ]
    ini = folder / "pgbouncer.ini"
    ini.write_text("\n".join(lines))
    folder.chmod(0o755)
    command = ["pgbouncer", str(ini)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as own:
        through = {**known, "host": "127.0.0.1", "port": port}
        try:
            wait_for(lambda: answers(port), 15, "pgbouncer to answer")
            yield through
        finally:
            own.kill()


def answers(port: int) -> bool:
    try:
        with connect(host="127.0.0.1", port=port, user="x", dbname="pgbouncer", connect_timeout=1):
            return True
    except Exception as error:  # noqa: BLE001
        return "refused" not in str(error)


def test_postgresql_itself_has_no_problem() -> None:
    assert pooling.problem(parameters(), database.LIMITS) == ""


def test_a_setting_that_does_not_reach_the_session_is_named() -> None:
    without = {**parameters(), "options": "-c lock_timeout=4s"}
    found = pooling.problem(without, {"lock_timeout": "4s", "statement_timeout": "30s"})
    assert "statement_timeout is 0 instead of 30s" in found
    assert "ALTER ROLE" in found


@needs_pgbouncer
def test_a_pooler_of_transactions_is_refused(tmp_path: Path) -> None:
    with pgbouncer(tmp_path, "transaction", "ignore_startup_parameters = options") as through:
        assert "set pool_mode = session" in pooling.problem(through, database.LIMITS)


@needs_pgbouncer
def test_a_pooler_of_sessions_is_taken_once_the_role_has_the_limits(tmp_path: Path) -> None:
    with pgbouncer(tmp_path, "session", "ignore_startup_parameters = options") as through:
        assert "does not pass on the settings" in pooling.problem(through, database.LIMITS)
        assert pooling.problem(through, {}) == ""


@needs_pgbouncer
def test_a_pooler_that_refuses_settings_is_told_what_to_set(tmp_path: Path) -> None:
    with pgbouncer(tmp_path, "session") as through:
        found = pooling.problem(through, database.LIMITS)
        assert "ignore_startup_parameters = options" in found
