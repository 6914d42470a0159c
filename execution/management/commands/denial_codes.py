"""Print the table of denial codes: `manage.py denial_codes > docs/denials.md`."""

from typing import Any

from django.core.management.base import BaseCommand
from typing_extensions import override

from execution.domain.risk_checks.codes import as_markdown


class Command(BaseCommand):
    help = "Every code with which orders are refused, as Markdown."

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(as_markdown(), ending="")
