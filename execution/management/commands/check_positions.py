"""Compare the kept positions with the fills."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from typing_extensions import override

from execution.booking import position_check
from execution.management.console import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Compare the kept positions and day's trades with the sum of all fills; exit code 1 where"
        " they differ. --rebuild makes them anew from the fills, while bookings wait."
    )
    speaks_json = False

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rebuild", action="store_true", help="mend what differs")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        found = position_check.differences()
        for each in found:
            self.stderr.write(str(each))
        if found and options["rebuild"]:
            position_check.rebuild()
            self.stdout.write(f"rebuilt; differences: {len(found)}")
        elif found:
            raise CommandError(f"{len(found)} differ; --rebuild makes them anew from the fills")
        else:
            self.stdout.write("positions and day's trades are the sum of the fills")
