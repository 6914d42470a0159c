from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import connection
from typing_extensions import override

from deepstack.backup import dump
from deepstack.backup.programs import BackupError, Server
from deepstack.config import current
from deepstack.local.embedded_servers import VAR
from execution.domain.exchange_time import exchange_time
from execution.domain.figures import counted
from execution.domain.reading import whole
from execution.management.console import OperatorCommand, argument


class Command(OperatorCommand):
    help = (
        "Back up the database while the service runs: one file of one moment, read back whole, and"
        " a manifest beside it. Encrypted where BACKUP_KEY is set. Keep it on another machine."
    )
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, default=VAR / "backups", metavar="FOLDER")
        parser.add_argument(
            "--keep", type=argument(whole(100_000)), help="remove all but the newest so many"
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        folder, key = options["to"].resolve(), current().backup_key.get_secret_value()
        try:
            made = dump.make(Server.of(connection.get_connection_params()), folder, key=key)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from None
        gone = dump.keep_newest(folder, options["keep"]) if options["keep"] else []
        if options["json"]:
            self.print_json({**asdict(made), "folder": str(folder), "removed": gone})
            return
        orders = made.rows.get("execution_order", 0)
        self.stdout.write(
            f"{folder / made.file}: {made.size:,} bytes, {counted(orders, 'order')}, as of"
            f" {exchange_time(made.taken)}; read back whole"
        )
        if not made.encrypted:
            self.stdout.write("not encrypted: set BACKUP_KEY before it leaves this machine")
        if gone:
            self.stdout.write(f"removed: {', '.join(gone)}")
