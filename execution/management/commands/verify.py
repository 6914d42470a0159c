from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from typing_extensions import override

from execution.booking import position_check
from execution.booking.position_check import Difference
from execution.domain.figures import counted
from execution.domain.reading import whole
from execution.management.console import OperatorCommand, argument
from execution.orders import verification
from execution.orders.verification import Disagreement

MOST = 10_000
AFTER = whole(2**63 - 1, least=0)


class Command(OperatorCommand):
    help = (
        "Compute every order anew from its fills and events and compare: totals of order and"
        " slices, F + W <= Q, every status, fill and commission, and the kept positions. Reads"
        " only, and the service may run. The exit code is 0 if all rows agree; else the first"
        " that differs is named."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--after", type=argument(AFTER), default=0, help="only orders with a higher id"
        )
        parser.add_argument(
            "--limit", type=argument(whole(MOST)), default=20, help="differences shown at most"
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        orders, found, shown = 0, 0, list[Disagreement]()
        for batch in verification.batches(after=options["after"]):
            orders, found = orders + batch.orders, found + len(batch.found)
            shown += batch.found[: options["limit"] - len(shown)]
        positions = position_check.differences()
        if options["json"]:
            rows = [{"order": each.order, "problem": each.words} for each in shown]
            counts = {"orders": orders, "differences": found}
            self.print_json({**counts, "shown": rows, "positions": list(map(str, positions))})
        else:
            self._show(orders, found, shown, positions)
        if found or positions:
            raise CommandError(_next_step(orders, found, shown, positions))

    def _show(
        self, orders: int, found: int, shown: list[Disagreement], positions: list[Difference]
    ) -> None:
        for each in shown:
            self.stdout.write(f"order {each.order}: {each.words}")
        if found > len(shown):
            self.stdout.write(f"and {found - len(shown):,} more")
        for position in positions:
            self.stdout.write(str(position))
        if not found and not positions:
            self.stdout.write(f"{counted(orders, 'order')}: every total, status and fill agrees")


def _next_step(
    orders: int, found: int, shown: list[Disagreement], positions: list[Difference]
) -> str:
    if not found:
        return f"{len(positions):,} kept positions differ: `manage.py check_positions`"
    return (
        f"{counted(found, 'difference')} in {counted(orders, 'order')}:"
        f" `manage.py halt --reason ...`, then `manage.py explain {shown[0].order}`"
    )
