from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text
from typing_extensions import override

from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import OrderStatus
from execution.domain.reading import whole
from execution.management.console import OperatorCommand, argument
from execution.management.progress import STYLES, price
from execution.market import clock, market_data
from execution.models import Order
from execution.orders import queries
from execution.orders.queries import Tracking
from execution.orders.results import actual_slippage_bps, average_price, result_of

MOST = 100_000


class Command(OperatorCommand):
    help = (
        "List orders, the newest first. `bps` is the average price against the arrival mid; TWAP,"
        " VWAP and POV are also held against the market's VWAP of their window so far, in bps of"
        " the so many that are usual of the symbol. + is a cost."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--status", choices=[each.value for each in OrderStatus])
        parser.add_argument("--symbol")
        parser.add_argument(
            "--limit", type=argument(whole(MOST)), default=20, help="how many at most"
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        wanted = {n: options[n] for n in ("status", "symbol") if options[n] is not None}
        orders = list(Order.objects.filter(**wanted).order_by("-pk")[: options["limit"]])
        seen = queries.trackings(orders, market_data(), now=clock.now())
        if options["json"]:
            self.print_json([_plain(order, seen.get(order.pk)) for order in orders])
        elif orders:
            self.out.print(_table(orders, seen))
        else:
            self.stdout.write("no such orders")


def _plain(order: Order, seen: Tracking | None) -> dict[str, Any]:
    return {**result_of(order), "vwap_tracking": asdict(seen) if seen else None}


def _table(orders: Iterable[Order], seen: Mapping[int, Tracking]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("id", justify="right", no_wrap=True)
    for name in ("created", "order", "as", "status"):
        table.add_column(name, no_wrap=True)
    for name in ("filled", "average", "bps", "market VWAP", "vs VWAP"):
        table.add_column(name, justify="right", no_wrap=True)
    for order in orders:
        slippage = actual_slippage_bps(order)
        table.add_row(
            str(order.pk),
            exchange_time(order.created_at),
            f"{order.side} {order.quantity:,} {order.symbol}",
            order.algorithm,
            Text(order.status, style=STYLES.get(order.status, "")),
            f"{order.filled_quantity:,}",
            price(average_price(order)),
            "-" if slippage is None else f"{slippage:+.1f}",
            *_tracked(seen.get(order.pk)),
        )
    return table


def _tracked(seen: Tracking | None) -> tuple[str, str]:
    """The market's VWAP of the order's window so far, with a star while it is preliminary; the
    order's average versus that, in bps."""
    if seen is None or seen.market_vwap is None:
        return "-", "-"
    deviation, usual = seen.deviation_bps, seen.usual_bps
    against = "-" if deviation is None else f"{deviation:+.1f}"
    mark = "*" if seen.preliminary else ""
    return price(seen.market_vwap) + mark, against if usual is None else f"{against} of {usual:.1f}"
