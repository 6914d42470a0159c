from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from typing_extensions import override

from deepstack.config import current
from deepstack.config_growth import LEAST_DAYS
from execution.archive import files, moving, reading
from execution.archive.manifest import ArchiveError
from execution.domain.reading import whole
from execution.management.console import BadInput, OperatorCommand, argument
from execution.models import Archive
from monitoring.models import Alert

# Orders whose costs are final, and of which no alert stands.
SETTLED = Q(
    (Q(filled_quantity=0) | Q(cost__isnull=False))
    & Q(cost__due_at_real__isnull=True, cost__late_due_at_real__isnull=True)
    & ~Exists(Alert.objects.filter(order=OuterRef("pk"), ended_at_real__isnull=True))
)


class Command(OperatorCommand):
    help = (
        "Take the slices, fills and events of orders that ended long ago out of the database, into"
        " compressed CSV files with checksums. Orders, costs, positions and summaries stay, and so"
        " does every report. Nothing is removed before its files were read back and every order"
        " was computed anew from them. The service may run; to be repeated after an interruption."
    )
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="only say how much there is")
        what.add_argument(
            "--check", action="store_true", help="only read all archives back and compare"
        )
        parser.add_argument(
            "--older-than",
            type=argument(whole(36_500, least=LEAST_DAYS)),
            metavar="DAYS",
            help="since the last event of an order; default: archive.after_days",
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        config = current()
        folder, key = files.folder_of(config), config.backup_key.get_secret_value()
        if options["check"]:
            self._check(folder, key, options)
            return
        days = options["older_than"] or config.archive.after_days
        if days is None:
            raise BadInput(
                "how old? Say --older-than DAYS, or set archive.after_days in config/config.yaml"
            )
        before = timezone.now() - timedelta(days=days)
        if options["dry_run"]:
            count = moving.waiting(before=before, only=SETTLED)
            self._say(options, f"{count:,} orders would be archived", waiting=count)
            return
        self._move(folder, moving.archive(folder, before=before, only=SETTLED, key=key), options)

    def _move(self, folder: Path, batches: Any, options: dict[str, Any]) -> None:
        orders, rows, wrong = 0, 0, list[int]()
        try:
            for each in batches:
                orders, rows = orders + each.orders, rows + each.rows
                wrong += each.contradictory
        except (ArchiveError, OSError) as error:
            raise CommandError(f"{error}; {orders:,} orders were archived before") from None
        words = f"{orders:,} orders, {rows:,} rows, in {folder}"
        self._say(options, words, orders=orders, rows=rows, contradictory=wrong)
        if wrong:
            raise CommandError(
                f"{len(wrong):,} orders stay, their rows contradict each other:"
                f" `manage.py verify --after {wrong[0] - 1}`"
            )

    def _check(self, folder: Path, key: str, options: dict[str, Any]) -> None:
        found = list(reading.problems(folder, key=key))
        count = Archive.objects.count()
        self._say(options, "\n".join(found) or f"{count:,} archives: all as they were written",
                  archives=count, problems=found)  # fmt: skip
        if found:
            raise CommandError(f"{len(found):,} problems: restore these files from a backup")

    def _say(self, options: dict[str, Any], words: str, **plain: object) -> None:
        if options["json"]:
            self.print_json(plain)
        else:
            self.stdout.write(words)
