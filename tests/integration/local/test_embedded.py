"""The private PostgreSQL and Redis: shared, left behind, crashed, in odd folders."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from deepstack import database
from deepstack.config import ROOT
from deepstack.local import embedded_servers
from deepstack.local.child_cleanup import parent_pipe
from deepstack.local.embedded_servers import Services, running, started
from deepstack.local.server_programs import MAX_CONNECTIONS, ServerError
from tests.stack import wait_for

pytestmark = pytest.mark.any_date

NOTHING = Services("", "")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Beside the data of the test run, where a killed run's leftovers are found."""
    made = embedded_servers.VAR / "test" / f"embedded-{secrets.token_hex(3)}"
    yield made
    embedded_servers.remove_abandoned(made.parent)
    shutil.rmtree(made, ignore_errors=True)


def ask(services: Services, query: str) -> object:
    with psycopg.connect(services.database_url) as connection:
        row = connection.execute(query).fetchone()
        return row and row[0]


def write_down(services: Services, value: int) -> None:
    with psycopg.connect(services.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS noted (value int)")
        connection.execute("INSERT INTO noted VALUES (%s)", [value])


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postgres/postmaster.pid").read_text().split()[0]))


def redis_server(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "redis/redis.pid").read_text()))


def kill(process: psutil.Process) -> None:
    process.kill()
    process.wait(10)


def test_servers_run_while_the_block_lasts(folder: Path) -> None:
    with started(folder) as services:
        assert ask(services, "SHOW max_connections") == str(MAX_CONNECTIONS)
        assert ask(services, "SHOW listen_addresses") == ""
        assert redis.Redis.from_url(services.redis_url).ping()
        assert running(folder) == services
        # PostgreSQL asks nobody for a password: who may enter this folder is the protection.
        sockets = Path(services.database_url.partition("host=")[2])
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert running(folder) == NOTHING


def test_only_what_is_asked_for_starts(folder: Path) -> None:
    with started(folder, database=False) as services:
        assert services.database_url == ""
        assert running(folder) == services
    with started(folder, broker=False) as services:
        assert services.redis_url == ""
        assert running(folder) == services


def test_the_last_to_leave_stops_them(folder: Path) -> None:
    with ExitStack() as first, ExitStack() as second:
        services = first.enter_context(started(folder))
        assert second.enter_context(started(folder)) == services
        first.close()
        assert running(folder) == services
        second.close()
        assert running(folder) == NOTHING


def test_data_stays_and_tasks_do_not(folder: Path) -> None:
    with started(folder) as services:
        write_down(services, 7)
        redis.Redis.from_url(services.redis_url).set("task", 1)
    with started(folder) as services:
        assert ask(services, "SELECT value FROM noted") == 7
        assert redis.Redis.from_url(services.redis_url).dbsize() == 0


@contextmanager
def another_process(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Holds the servers of the folder; killed at the end at the latest."""
    script = (
        "import sys, time, pathlib; from deepstack.local.embedded_servers import started\n"
        "with started(pathlib.Path(sys.argv[1])): time.sleep(600)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], cwd=ROOT, pass_fds=parent_pipe()
    )
    wait_for(lambda: all(astuple(running(folder))), 60, "the other process to start the servers")
    yield owner
    owner.kill()
    owner.wait()


def test_servers_of_a_killed_process_end_with_it(folder: Path) -> None:
    with another_process(folder) as owner:
        servers = [postmaster(folder), redis_server(folder)]
        owner.kill()
    assert psutil.wait_procs(servers, timeout=60)[1] == []
    assert running(folder) == NOTHING


def test_servers_of_a_killed_process_stay_for_those_who_use_them(folder: Path) -> None:
    with another_process(folder) as owner, started(folder) as services:
        (its_cleanup,) = [
            child
            for child in psutil.Process(owner.pid).children()
            if "orphan_cleanup.py" in " ".join(child.cmdline())
        ]
        owner.kill()
        owner.wait()
        its_cleanup.wait(30)
        assert ask(services, "SELECT 1") == 1
    assert running(folder) == NOTHING


def test_crashed_servers_start_again_with_what_was_committed(folder: Path) -> None:
    with started(folder) as services:
        write_down(services, 7)
        kill(postmaster(folder))
        kill(redis_server(folder))
        assert running(folder) == NOTHING
        assert embedded_servers.revive(folder, database=True, broker=True)
        assert running(folder) == services
        assert ask(services, "SELECT value FROM noted") == 7
        assert not embedded_servers.revive(folder, database=True, broker=True)


def test_a_server_that_cannot_start_is_tried_again_until_it_can(folder: Path) -> None:
    said: list[str] = []
    with started(folder) as services:
        write_down(services, 7)
        revival = embedded_servers.Revival(folder, said.append, database=True, broker=True)
        kept = folder / "postgres/global/pg_control"
        kill(postmaster(folder))
        away = kept.rename(kept.with_name("away"))

        revival.look()
        (trouble,) = said
        assert "s for PostgreSQL to start (see " in trouble
        assert "it is tried again until it starts" in trouble
        away.rename(kept)

        def looked() -> int:
            revival.look()
            return len(said) - 1

        wait_for(looked, 60, "it to start")
        assert said[1:] == ["PostgreSQL or Redis had died and was started again"]
        assert ask(services, "SELECT value FROM noted") == 7


def test_a_stale_lock_whose_process_id_is_somebody_elses(folder: Path) -> None:
    with started(folder, broker=False) as services:
        write_down(services, 7)
        lock = folder / "postgres/postmaster.pid"
        text = lock.read_text()
        kill(postmaster(folder))
        lock.write_text(text.replace(text.split()[0], str(os.getpid()), 1))
    with started(folder, broker=False) as services:
        assert ask(services, "SELECT value FROM noted") == 7


def test_a_cluster_half_made_by_a_killed_start_is_made_anew(folder: Path) -> None:
    (folder / "postgres.new" / "base").mkdir(parents=True)
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    with started(folder, broker=False) as services:
        assert ask(services, "SELECT 1") == 1


@pytest.mark.parametrize(
    "odd", ["ü per%20cent 'quoted'", "d/" * 30 + "deep"], ids=["name", "depth"]
)
def test_odd_folders(folder: Path, odd: str) -> None:
    with started(folder / odd) as services:
        assert ask(services, "SELECT 1") == 1
        assert redis.Redis.from_url(services.redis_url).ping()
        assert running(folder / odd) == services
    assert running(folder / odd) == NOTHING


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    (folder / "run").mkdir(parents=True)
    os.chown(folder / "run", 65534, 65534)
    with pytest.raises(ServerError, match="belongs to another user"), started(folder):
        pass


def test_abandoned_folders_go_and_used_ones_stay(folder: Path) -> None:
    (folder / "left").mkdir(parents=True)
    (folder / "left" / "users.lock").touch()
    with started(folder / "used") as services:
        embedded_servers.remove_abandoned(folder)
        assert not (folder / "left").exists()
        assert running(folder / "used") == services


def test_without_a_database_the_first_query_says_what_to_do(
    django_db_blocker: DjangoDbBlocker,
) -> None:
    connection = ConnectionHandler({"default": database.entry("")})["default"]
    what_to_do = "no database: run `make up` or set DATABASE_URL"
    with django_db_blocker.unblock(), pytest.raises(OperationalError, match=what_to_do):
        connection.cursor()
