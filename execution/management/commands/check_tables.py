from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from typing_extensions import override

from deepstack.database import table_health
from deepstack.database.table_health import Finding, Table, megabytes
from execution.management.console import OperatorCommand

SHOWN = 12


class Command(OperatorCommand):
    help = (
        "What years have done to tables and indexes: dead rows, pages that stay half empty, an"
        " index that was never finished, statistics or a transaction counter that are old. Reads"
        " PostgreSQL's own statistics, and the service may run. The exit code is 1 where something"
        " is to be done, and the statement that does it is named."
    )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        tables, found = table_health.tables(), table_health.findings()
        if options["json"]:
            indexes = [asdict(each) for each in table_health.indexes()]
            told = {"tables": [asdict(each) for each in tables], "indexes": indexes}
            self.print_json({**told, "findings": [asdict(each) for each in found]})
        else:
            self._show(tables, found)
        if found:
            raise CommandError(f"{len(found)} to be put right")

    def _show(self, tables: list[Table], found: list[Finding]) -> None:
        self.stdout.write(f"{'table':36} {'rows':>12} {'dead':>9} {'MB':>8} {'empty MB':>9}")
        for each in tables[:SHOWN]:
            rows = max(each.rows, each.live)
            self.stdout.write(
                f"{each.name:36} {rows:12,} {each.dead:9,} {megabytes(each.bytes):>8}"
                f" {megabytes(each.wasted):>9}"
            )
        for problem in found:
            self.stdout.write(f"{problem.words}\n  {problem.remedy}")
        if not found:
            self.stdout.write("tables and indexes are in order")
