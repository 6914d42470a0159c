from argparse import ArgumentParser
from typing import Any

from rich.table import Table
from rich.text import Text
from typing_extensions import override

from execution.domain.lifecycle import OrderStatus
from execution.management.console import BadInput, OversightCommand
from execution.market.calendar import NEW_YORK
from execution.models import Order
from execution.progress import STYLES, price
from execution.results import actual_slippage_bps, average_price, result_of


class Command(OversightCommand):
    help = "List orders, the newest first."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--status", choices=[each.value for each in OrderStatus])
        parser.add_argument("--symbol")
        parser.add_argument("--limit", type=int, default=20, help="how many at most")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        if options["limit"] < 1:
            raise BadInput(f"--limit: must be at least 1, got {options['limit']}")
        wanted = {name: options[name] for name in ("status", "symbol") if options[name]}
        orders = Order.objects.filter(**wanted).order_by("-pk")[: options["limit"]]
        if options["json"]:
            self.print_json([result_of(order) for order in orders])
        elif orders:
            self.out.print(_table(orders))
        else:
            self.stdout.write("no such orders")


def _table(orders: Any) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("id", justify="right", no_wrap=True)
    for name in ("New York", "order", "as", "status"):
        table.add_column(name, no_wrap=True)
    for name in ("filled", "average", "bps"):
        table.add_column(name, justify="right", no_wrap=True)
    for order in orders:
        slippage = actual_slippage_bps(order)
        table.add_row(
            str(order.pk),
            f"{order.created_at.astimezone(NEW_YORK):%m-%d %H:%M:%S}",
            f"{order.side} {order.quantity:,} {order.symbol}",
            order.algorithm,
            Text(order.status, style=STYLES.get(order.status, "")),
            f"{order.filled_quantity:,}",
            price(average_price(order)),
            "-" if slippage is None else f"{slippage:+.1f}",
        )
    return table
