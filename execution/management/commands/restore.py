from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.utils import timezone
from typing_extensions import override

from deepstack import database, processes
from deepstack.backup import restore
from deepstack.backup.manifest import Manifest
from deepstack.backup.programs import BackupError, Server
from deepstack.config import current
from deepstack.local import embedded_servers
from deepstack.local.server_programs import ServerError
from execution.domain.exchange_time import exchange_time
from execution.management.console import OperatorCommand
from execution.risk import recovery_mode


class Command(OperatorCommand):
    help = (
        "Put a backup in the place of the database, in recovery mode: nothing is sent until every"
        " account was compared with its broker and a named person releases it (manage.py recovery)."
        " The service must be stopped. The rows of before are kept in a database beside."
    )
    speaks_json = False
    requires_system_checks = ()
    requires_migrations_checks = False

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("backup", type=Path, metavar="FILE", help="a .dump or .dump.enc")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        backup = options["backup"].resolve()
        try:
            with _own_server():
                done = restore.restore(
                    Server.of(connection.get_connection_params()),
                    backup,
                    key=current().backup_key.get_secret_value(),
                    now=timezone.now(),
                    prepare=lambda name: _prepare(name, Manifest.beside(backup)),
                )
        except (BackupError, ServerError, OSError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"restored: the rows of {exchange_time(done.manifest.taken)}")
        if done.kept:
            self.stdout.write(f"the database of before is now {done.kept!r}; drop it when sure")
        recovery_mode.forget_newest_event()
        self.stdout.write(_forget_tasks())
        self.stdout.write(
            "in recovery mode: start the service, which sends nothing, then `manage.py recovery`"
        )


@contextmanager
def _own_server() -> Iterator[None]:
    """The embedded PostgreSQL, which ends with the service, where the configuration names none."""
    if current().database_url:
        yield
        return
    with embedded_servers.started(broker=False) as services:
        settings.DATABASES["default"].update(database.entry(services.database_url))
        del connections["default"]
        yield
        connection.close()


def _prepare(name: str, manifest: Manifest) -> None:
    """Tables of this release, and recovery mode before anybody can see the rows."""
    ours = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0, interactive=False)
        recovery_mode.begin(
            f"restored from the backup of {exchange_time(manifest.taken)}", backup=manifest.taken
        )
    finally:
        connection.close()
        connection.settings_dict["NAME"] = ours


def _forget_tasks() -> str:
    """Tasks of slices that the backup does not know; what is due is enqueued anew."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
            client.delete(*processes.QUEUES.split(","))
    except redis.RedisError as error:
        return f"Redis still holds tasks of before, which find nothing to do: {error}"
    return "tasks of before were removed from Redis"
