"""What an order would have cost if another algorithm had worked it."""

from argparse import ArgumentParser
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from typing_extensions import override

from deepstack.config import current
from execution.domain.algorithms.registry import ALGOS
from execution.domain.exchange_time import NEW_YORK, exchange_time
from execution.domain.lifecycle import OrderStatus
from execution.management.console import ORDER_ID, BadInput, OperatorCommand, argument
from execution.market import market_data
from execution.models import Order
from execution.orders import results
from monitoring.clocks import Moment
from monitoring.cost_report import figures
from monitoring.models import OrderReplay
from monitoring.replays import replays, words
from monitoring.replays.replays import TooEarly

SHOWN = [
    each.name for each in OrderReplay._meta.concrete_fields if each.name not in ("id", "order")
]


class Command(OperatorCommand):
    help = (
        "Work an order that has ended again on the recorded tape, by each algorithm, with the paper"
        " market's fills and impact, and store what it would have cost. + is a cost, in basis"
        " points of the arrival mid."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", type=argument(ORDER_ID), metavar="ID")
        parser.add_argument(
            "--algorithm",
            dest="algorithms",
            action="append",
            choices=list(ALGOS),
            metavar="NAME",
            help=f"one of {', '.join(ALGOS)}, may be given again; by default all of them",
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        moment = Moment.read()
        order = Order.objects.get(pk=options["order"])
        _check_ended(order)
        rows = _replayed(order, options["algorithms"] or list(ALGOS), moment)
        if options["json"]:
            self.print_json(as_json(order, rows))
            return
        self.out.print(
            f"order {order.pk}: {order.side} {order.quantity:,} {order.symbol} by"
            f" {order.algorithm}, from {exchange_time(order.start_at)}; bps: + is a cost"
        )
        self.out.print(_table(order, rows))
        for line in (*words.problems(rows), words.assumptions(rows)):
            self.out.print(line)


def _check_ended(order: Order) -> None:
    if order.status == OrderStatus.DENIED:
        raise BadInput(f"order {order.pk} was denied and never worked")
    if not order.is_terminal:
        raise BadInput(f"order {order.pk} is {order.status}: it can be replayed once it has ended")


def _replayed(order: Order, algorithms: Collection[str], moment: Moment) -> Sequence[OrderReplay]:
    try:
        return replays.replay(
            order, algorithms, moment=moment, market=market_data(), config=current()
        )
    except TooEarly as error:
        raise CommandError(f"order {order.pk} cannot be replayed yet: {error}") from None


def _table(order: Order, rows: Sequence[OrderReplay]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Algorithm", no_wrap=True)
    for title in ("Until (ET)", "Filled", "Arrival", "VWAP", "Volume", "Fees", "Shortfall"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        if row.problem or row.end_at is None:
            continue
        table.add_row(
            row.algorithm,
            f"{row.end_at.astimezone(NEW_YORK):%H:%M:%S}",
            f"{row.filled_quantity / order.quantity:.0%}",
            figures.signed(row.arrival_bps),
            figures.signed(row.vwap_bps),
            _percent(row.participation),
            _dollars(row.fees),
            figures.signed(row.shortfall_bps),
            style="bold" if row.own else "",
        )
        if row.own:
            table.add_row(*_really(order, row))
    return table


def _really(order: Order, row: OrderReplay) -> Sequence[str]:
    """The line below the replay of its own algorithm: how it went."""
    slippage, cost = results.actual_slippage_bps(order), getattr(order, "cost", None)
    return (
        "  as it went",
        f"{(order.finished_at or order.end_at).astimezone(NEW_YORK):%H:%M:%S}",
        f"{order.filled_quantity / order.quantity:.0%}",
        figures.signed(slippage),
        figures.signed(cost.vwap_bps if cost else None),
        _percent(cost.participation if cost else None),
        _dollars(order.commission),
        figures.signed(row.actual_bps),
    )


def _percent(share: Decimal | None) -> str:
    return figures.NOT_KNOWN if share is None else f"{share:.1%}"


def _dollars(amount: Decimal | None) -> str:
    return figures.NOT_KNOWN if amount is None else f"${amount:,.2f}"


def as_json(order: Order, rows: Sequence[OrderReplay]) -> Mapping[str, object]:
    return {
        "order_id": order.pk,
        "algorithm": order.algorithm,
        "arrival_price": results.arrival_price(order),
        "replays": [{name: getattr(row, name) for name in SHOWN} for row in rows],
    }
