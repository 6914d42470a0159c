"""Backups of the database that tests use: several runs at once, and a full disk."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from deepstack.backup import dump, restore
from deepstack.backup.manifest import Manifest
from deepstack.backup.programs import BackupError, Server
from tests.faults import no_longer_file_than

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]
AT_ONCE = 3


@pytest.fixture
def server() -> Server:
    return Server.of(connection.get_connection_params())


def test_runs_of_one_second_make_whole_backups_or_say_why_not(
    server: Server, tmp_path: Path
) -> None:
    start = Barrier(AT_ONCE)

    def run(_: int) -> Manifest | str:
        start.wait(10)
        try:
            return dump.make(server, tmp_path, key="")
        except BackupError as error:
            return str(error)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        ends = list(threads.map(run, range(AT_ONCE)))
    made = [end for end in ends if isinstance(end, Manifest)]
    assert made
    for each in made:
        each.check(tmp_path / each.file, "")
    assert len({each.file for each in made}) == len(made)
    assert all("run it again" in end for end in ends if isinstance(end, str))
    assert not list(tmp_path.glob("*.part"))


def test_a_run_that_finds_no_room_leaves_nothing_in_its_folder(
    server: Server, tmp_path: Path
) -> None:
    with no_longer_file_than(10_000), pytest.raises(BackupError, match="pg_dump failed"):
        dump.make(server, tmp_path, key="")
    assert not list(tmp_path.iterdir())


def test_of_two_restores_at_once_the_second_is_refused(server: Server, tmp_path: Path) -> None:
    made = dump.make(server, tmp_path, key="")
    with server.beside() as first:
        restore.refuse_another(first, server.name)
        with pytest.raises(BackupError, match="another restore of the database"):
            restore.restore(
                server, tmp_path / made.file, key="", now=timezone.now(), prepare=lambda _: None
            )
