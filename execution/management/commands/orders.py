from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text
from typing_extensions import override

from execution.domain import figures
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import ORDER_LIVE, OrderStatus
from execution.domain.reading import whole
from execution.domain.signal import ticker
from execution.management.console import BadInput, OperatorCommand, argument
from execution.management.fitting import Cell, Column, fitted
from execution.management.progress import STYLES, Watch, price
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
        statuses = [each.value for each in OrderStatus]
        parser.add_argument(
            "--status", choices=statuses, metavar="STATUS", help=f"one of {', '.join(statuses)}"
        )
        parser.add_argument("--symbol", type=argument(ticker))
        parser.add_argument("--basket", help="orders that were handed over together")
        parser.add_argument(
            "--watch", action="store_true", help="show the open ones until they have ended"
        )
        parser.add_argument(
            "--limit", type=argument(whole(MOST)), default=20, help="how many at most"
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        names = ("status", "symbol", "basket")
        wanted = {name: options[name] for name in names if options[name] is not None}
        if options["watch"] and options["json"]:
            raise BadInput("--watch shows lines for people: ask for --json without it")
        if options["watch"]:
            self._watch(wanted, options["limit"])
            return
        orders = list(Order.objects.filter(**wanted).order_by("-pk")[: options["limit"]])
        seen = queries.trackings(orders, market_data(), now=clock.now())
        if options["json"]:
            self.print_json([_plain(order, seen.get(order.pk)) for order in orders])
        elif orders:
            self.out.print(table(orders, seen, width=self.out.width))
        else:
            self.stdout.write("no such orders")

    def _watch(self, wanted: Mapping[str, str], limit: int) -> None:
        """Until the orders that are open now have ended; Ctrl-C stops the looking alone."""
        live = Order.objects.filter(status__in=sorted(ORDER_LIVE), **wanted)
        ids = list(live.order_by("-pk").values_list("pk", flat=True)[:limit])
        if not ids:
            self.stdout.write("no open orders")
            return
        with suppress(KeyboardInterrupt):
            Watch(self.out, market_data()).until_done(ids)


def _plain(order: Order, seen: Tracking | None) -> dict[str, Any]:
    return {**result_of(order), "vwap_tracking": asdict(seen) if seen else None}


COLUMNS = (
    Column("id"),
    Column("created", "left", spare=4),
    Column("order", "left"),
    Column("algo", "left", spare=2),
    Column("status", "left"),
    Column("filled"),
    Column("average", spare=1),
    Column("bps"),
    Column("market VWAP", spare=5),
    Column("vs VWAP", spare=3),
)


def table(orders: Iterable[Order], seen: Mapping[int, Tracking], *, width: int) -> Table:
    return fitted(COLUMNS, [_row(order, seen.get(order.pk)) for order in orders], width)


def _row(order: Order, seen: Tracking | None) -> Sequence[Cell]:
    slippage = actual_slippage_bps(order)
    return (
        str(order.pk),
        exchange_time(order.created_at),
        f"{order.side} {order.quantity:,} {order.symbol}",
        order.algorithm,
        Text(order.status, style=STYLES.get(order.status, "")),
        f"{order.filled_quantity:,}",
        price(average_price(order)),
        "-" if slippage is None else figures.signed(slippage),
        *_tracked(seen),
    )


def _tracked(seen: Tracking | None) -> tuple[str, str]:
    """The market's VWAP of the order's window so far, with a star while it is preliminary; the
    order's average versus that, in bps."""
    if seen is None or seen.market_vwap is None:
        return "-", "-"
    deviation, usual = seen.deviation_bps, seen.typical_bps
    against = "-" if deviation is None else figures.signed(deviation)
    mark = "*" if seen.preliminary else ""
    return price(seen.market_vwap) + mark, against if usual is None else f"{against} of {usual:.1f}"
