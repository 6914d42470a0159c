"""What lies beside a backup shows whether it is whole."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from deepstack.backup import dump, programs
from deepstack.backup.manifest import Manifest, sha256
from deepstack.backup.programs import BackupError, Server
from deepstack.database import entry

KEY = "a pass phrase of some length"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    path = tmp_path / "deepstack-20260302T160000Z.dump.enc"
    path.write_bytes(b"what was dumped")
    plain = Manifest(
        file=path.name,
        taken_at="2026-03-02T16:00:00+00:00",
        database="deepstack",
        server_version=180001,
        encrypted=True,
        size=path.stat().st_size,
        sha256=sha256(path),
        rows={"execution_order": 3},
    )
    plain.sealed(KEY).write(tmp_path)
    return path


def manifest_of(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}.json")


def damage(backup: Path) -> None:
    backup.write_bytes(b"what was damped")


def cut_off(backup: Path) -> None:
    backup.write_bytes(b"what was")


def lose(backup: Path) -> None:
    backup.unlink()


def lose_the_manifest(backup: Path) -> None:
    manifest_of(backup).unlink()


def forge_the_manifest(backup: Path) -> None:
    told = json.loads(manifest_of(backup).read_text())
    manifest_of(backup).write_text(json.dumps({**told, "rows": {"execution_order": 2}}))


def empty_the_manifest(backup: Path) -> None:
    manifest_of(backup).write_text("{")


def test_what_was_written_is_whole(backup: Path) -> None:
    Manifest.beside(backup).check(backup, KEY)
    assert manifest_of(backup).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damage, "is damaged"),
        (cut_off, "is damaged"),
        (lose, "does not exist"),
        (lose_the_manifest, "was never finished"),
        (forge_the_manifest, "the seal"),
        (empty_the_manifest, "is no manifest"),
    ],
)
def test_what_is_not_whole_is_refused(
    backup: Path, harm: Callable[[Path], None], words: str
) -> None:
    harm(backup)
    with pytest.raises(BackupError, match=words):
        Manifest.beside(backup).check(backup, KEY)


@pytest.mark.parametrize(("key", "words"), [("", "set BACKUP_KEY"), ("other", "another key")])
def test_without_its_key_nothing_is_restored(backup: Path, key: str, words: str) -> None:
    with pytest.raises(BackupError, match=words):
        Manifest.beside(backup).check(backup, key)


def test_only_finished_backups_count_as_kept(backup: Path) -> None:
    told = Manifest.beside(backup)
    for day in (3, 4):
        name = f"deepstack-2026030{day}T160000Z.dump"
        (backup.parent / name).write_bytes(b"newer")
        replace(told, file=name).write(backup.parent)
    (backup.parent / "deepstack-20260305T160000Z.dump.part").write_bytes(b"under way")
    assert dump.keep_newest(backup.parent, 2) == [backup.name]
    assert not backup.exists()
    assert not manifest_of(backup).exists()
    assert len(list(backup.parent.glob("*.dump"))) == 2


def test_a_server_newer_than_the_programs_is_named() -> None:
    with pytest.raises(BackupError, match="pg_dump of PostgreSQL 99 or later is needed"):
        programs.program("pg_dump", at_least=99)


def test_no_password_stands_in_a_command_line() -> None:
    server = Server.of({"dbname": "d", "host": "h", "password": "hunter2", "options": "-c x=1"})
    assert server.conninfo("d") == "dbname=d host=h"
    assert server.environment()["PGPASSWORD"] == "hunter2"


def test_a_backup_trusts_no_server_that_the_service_refuses() -> None:
    strict = "&sslrootcert=/ca.pem&sslcrl=/crl.pem&channel_binding=require&require_auth=md5"
    django = entry(f"postgresql://u:p@h:5432/d?sslmode=verify-full{strict}")
    server = Server.of({"dbname": "d", **django["OPTIONS"]})
    asked = conninfo_to_dict(server.conninfo("d"))
    for name in ("sslmode", "sslrootcert", "sslcrl", "channel_binding", "require_auth"):
        assert asked.get(name) == django["OPTIONS"][name]
